import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FixpointError } from '../domain/errors.ts';
import { createAuthority, issueCertificate, type KeyPair } from '../platform/authority.ts';
import type { Clock } from '../platform/clock.ts';
import { fingerprintOf } from '../platform/digest.ts';
import { signingKeysIn } from '../platform/signing-key.ts';
import { Trust } from '../platform/trust-bundle.ts';
import { sealTrust } from '../platform/trust-seal.ts';

type Phase = 'publish' | 'use' | 'drop';

type Files = {
  /** Seals the trust bundle. */
  readonly keyFile: string;
  /** ca.*, gateway.*, trust.json, issued.jsonl. */
  readonly certificates: string;
};

/**
 * Takes one phase of replacing the authority, on files alone. `publish`: agents and gateways trust
 * a new one beside the old. `use`: agents' certificates come from the new one. `drop`: so does the
 * gateway's own, and the old one is trusted no more; refused while an agent still needs it. Gateways
 * see the files within a second and drop no session. Every phase may be repeated, also after it died
 * half-way. Throws `conflict` for a phase whose turn it is not. Answers the serial of the bundle.
 */
export async function rotateAuthority(
  files: Files,
  of: { readonly phase: Phase; readonly clock: Clock },
): Promise<number> {
  const folder = new Folder(files.certificates);
  if (of.phase === 'publish') return publish(files, folder, of.clock);
  return of.phase === 'use' ? use(folder) : drop(files, folder, of.clock);
}

class Folder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  has(name: string): boolean {
    return existsSync(join(this.#path, name));
  }

  read(name: string): string {
    if (this.has(name)) return readFileSync(join(this.#path, name), 'utf8');
    throw new FixpointError('not_found', `${join(this.#path, name)} is not there`, {
      hint: 'name the folder with --certificates',
    });
  }

  pair(name: string): KeyPair {
    return { certificate: this.read(`${name}.crt`), key: this.read(`${name}.key`) };
  }

  write(name: string, text: string): void {
    const path = join(this.#path, name);
    writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  }

  /** The key first: a gateway uses a pair only when both fit. */
  writePair(name: string, pair: KeyPair): void {
    this.write(`${name}.key`, pair.key);
    this.write(`${name}.crt`, pair.certificate);
  }

  remove(name: string): void {
    rmSync(join(this.#path, name), { force: true });
  }
}

async function publish(files: Files, folder: Folder, clock: Clock): Promise<number> {
  if (folder.has('authorities.crt') && !folder.has('next.crt')) {
    throw wrongTurn('the new authority issues already', 'drop');
  }
  if (!folder.has('next.crt')) folder.writePair('next', await createAuthority(clock));
  const authorities = [folder.read('ca.crt'), folder.read('next.crt')];
  folder.write('authorities.crt', folder.read('next.crt'));
  return trust(files, folder, authorities);
}

async function use(folder: Folder): Promise<number> {
  if (!folder.has('next.crt')) {
    if (folder.has('authorities.crt')) throw wrongTurn('the new authority issues already', 'drop');
    throw wrongTurn('there is no new authority', 'publish');
  }
  const next = folder.pair('next');
  const current = folder.read('ca.crt');
  // Both stay trusted at every moment, also if this ends half-way.
  if (fingerprintOf(current) !== fingerprintOf(next.certificate)) {
    folder.write('authorities.crt', `${current}\n${next.certificate}`);
    folder.writePair('ca', next);
  }
  folder.remove('next.key');
  folder.remove('next.crt');
  return serialOf(folder);
}

async function drop(files: Files, folder: Folder, clock: Clock): Promise<number> {
  if (folder.has('next.crt')) throw wrongTurn('the new authority does not issue yet', 'use');
  const authority = folder.pair('ca');
  if (!folder.has('authorities.crt')) return trust(files, folder, [authority.certificate]);
  refuseWhileNeeded(folder, { issuing: fingerprintOf(authority.certificate), now: clock.now() });
  const own = await issueCertificate({ authority, subject: { kind: 'gateway' }, clock });
  folder.writePair('gateway', own);
  const serial = await trust(files, folder, [authority.certificate]);
  folder.remove('authorities.crt');
  return serial;
}

const certified = z.object({
  agentId: z.string(),
  name: z.string().optional(),
  authority: z.string().optional(),
  notAfter: z.number().optional(),
});
const namedMax = 10;

/** An agent whose certificate is of the old authority would be let in no more. */
function refuseWhileNeeded(
  folder: Folder,
  of: { readonly issuing: string; readonly now: number },
): void {
  const newest = new Map<string, z.infer<typeof certified>>();
  const lines = folder.has('issued.jsonl') ? folder.read('issued.jsonl').split('\n') : [];
  for (const line of lines.slice(0, -1)) {
    const record = certified.parse(JSON.parse(line));
    // A revocation has no certificate, and so needs no authority.
    newest.set(record.agentId, { name: newest.get(record.agentId)?.name, ...record });
    if (record.notAfter === undefined) newest.delete(record.agentId);
  }
  const waiting = [...newest.values()].filter(
    ({ authority, notAfter = 0 }) => authority !== of.issuing && notAfter > of.now,
  );
  if (waiting.length === 0) return;
  const names = waiting.slice(0, namedMax).map(({ name, agentId }) => name ?? agentId);
  const others = waiting.length > namedMax ? ` and ${waiting.length - namedMax} more` : '';
  throw new FixpointError(
    'conflict',
    `${waiting.length} agents hold certificates of the old authority: ${names.join(', ')}${others}`,
    { hint: 'they renew at half of the certificate’s life; try again then' },
  );
}

/** Writes a bundle with these authorities, unless the one that is there has them already. */
async function trust(
  files: Files,
  folder: Folder,
  authorities: readonly string[],
): Promise<number> {
  const { bundle } = Trust.read(folder.read('trust.json'));
  const wanted = authorities.map((pem) => pem.trim());
  const isThere = bundle.authorities.map((pem) => pem.trim()).join() === wanted.join();
  if (isThere) return bundle.serial;
  const keys = signingKeysIn(readFileSync(files.keyFile, 'utf8'));
  const next = { ...bundle, serial: bundle.serial + 1, authorities: wanted };
  folder.write('trust.json', JSON.stringify(await sealTrust(next, keys)));
  return next.serial;
}

const serialOf = (folder: Folder): number => Trust.read(folder.read('trust.json')).bundle.serial;

const wrongTurn = (why: string, next: Phase): FixpointError =>
  new FixpointError('conflict', why, {
    hint: `the next phase is: fixpoint setup rotate ca --phase ${next}`,
  });

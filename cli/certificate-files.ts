import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createAuthority, issueCertificate, type KeyPair } from '../platform/authority.ts';
import type { Clock } from '../platform/clock.ts';
import { newSigningKey, signingKeysIn } from '../platform/signing-key.ts';
import { sealTrust } from '../platform/trust-seal.ts';

/**
 * Makes what a gateway and its workers need and is not there yet: the authority, the gateway's own
 * certificate, the signing key and the trust bundle. Answers the files that it made; what is there
 * is never touched. Not for two callers at once.
 */
export async function makeCertificates(
  files: { readonly keyFile: string; readonly certificates: string },
  clock: Clock,
): Promise<readonly string[]> {
  const made: string[] = [];
  const path = (name: string) => join(files.certificates, name);
  const write = (file: string, text: string) => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600, flag: 'wx', flush: true });
    made.push(file);
  };
  // The key first: what died half-way is then a key without a certificate, and is seen.
  const writePair = (name: string, pair: KeyPair) => {
    write(path(`${name}.key`), pair.key);
    write(path(`${name}.crt`), pair.certificate);
  };
  const read = (file: string) => readFileSync(file, 'utf8');
  if (!existsSync(path('ca.crt'))) writePair('ca', await createAuthority(clock));
  const authority = { certificate: read(path('ca.crt')), key: read(path('ca.key')) };
  if (!existsSync(path('gateway.crt'))) {
    const subject = { kind: 'gateway' } as const;
    writePair('gateway', await issueCertificate({ authority, subject, clock }));
  }
  if (!existsSync(files.keyFile)) write(files.keyFile, newSigningKey());
  if (!existsSync(path('trust.json'))) {
    const keys = signingKeysIn(read(files.keyFile));
    const signingKeys = keys.map(({ keyId, publicKey }) => ({ keyId, publicKey }));
    const bundle = { serial: 1, signingKeys, authorities: [authority.certificate] };
    write(path('trust.json'), JSON.stringify(await sealTrust(bundle, keys)));
  }
  return made;
}

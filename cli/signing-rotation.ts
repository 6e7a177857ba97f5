import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustBundle } from '../contracts/trust.ts';
import { FixpointError } from '../domain/errors.ts';
import { newSigningKey, type SigningKey, signingKeysIn } from '../platform/signing-key.ts';
import { Trust } from '../platform/trust-bundle.ts';
import { sealTrust } from '../platform/trust-seal.ts';

/** `publish`: the new key is trusted beside the old. `use`: it signs. `drop`: it alone is trusted. */
export const rotationPhases = ['publish', 'use', 'drop'] as const;
export type RotationPhase = (typeof rotationPhases)[number];

/** Where the keys and the trust bundle lie. */
export type SigningFiles = { readonly keyFile: string; readonly certificates: string };

/** The bundle and the keys after a phase: the first key signs jobs. */
export type Rotated = { readonly bundle: TrustBundle; readonly keyIds: readonly string[] };

/**
 * Takes one phase of replacing the signing key, on files alone. In a bundle the newest key comes
 * last. Every phase may be repeated, also after it died half-way. Throws `conflict` for a phase
 * whose turn it is not.
 */
export async function rotateSigning(files: SigningFiles, phase: RotationPhase): Promise<Rotated> {
  const state = readState(files);
  const after = await phases[phase](files, state);
  return { bundle: after.bundle, keyIds: after.keys.map(({ keyId }) => keyId) };
}

type State = {
  readonly trust: Trust;
  readonly keys: readonly SigningKey[];
};
type After = { readonly bundle: TrustBundle; readonly keys: readonly SigningKey[] };

const phases: Record<RotationPhase, (files: SigningFiles, state: State) => Promise<After>> = {
  async publish(files, { trust, keys }) {
    const [old, next = signingKeysIn(newSigningKey())[0]] = keys;
    if (old === undefined) throw noKey(files);
    const isUsed = newestOf(trust.bundle) === old.keyId && trust.bundle.signingKeys.length > 1;
    if (isUsed) throw wrongTurn('the new key signs already', 'drop');
    // The key first: a bundle must never trust a key that nobody has.
    const both = [old, next];
    writeKeys(files, both);
    return { bundle: await trusting(files, trust, { trusted: both, sealers: both }), keys: both };
  },
  async use(files, { trust, keys }) {
    const next = keys.find(({ keyId }) => keyId === newestOf(trust.bundle));
    if (trust.bundle.signingKeys.length < 2 || next === undefined) {
      throw wrongTurn('there is no new key that agents trust', 'publish');
    }
    const inOrder = [next, ...keys.filter((key) => key !== next)];
    writeKeys(files, inOrder);
    return { bundle: trust.bundle, keys: inOrder };
  },
  async drop(files, { trust, keys }) {
    const [signing] = keys;
    if (signing === undefined) throw noKey(files);
    if (signing.keyId !== newestOf(trust.bundle)) throw wrongTurn('the old key still signs', 'use');
    const bundle = bundleTrusting(trust.bundle, [signing]);
    // Sealed by the old key too, so that an agent follows that was away since before `publish`; and
    // before that key goes, because nobody can make such a seal afterwards.
    if (bundle !== null && (keys.length > 1 || !isSealed(files, { trust, bundle }))) {
      const sealed = await sealTrust(bundle, keys);
      replaceFile(sealedFileOf(files), JSON.stringify(sealed));
    }
    // The key before the bundle: two in the file beside one in the bundle would read as a `publish`
    // half done, and trust the old one again.
    writeKeys(files, [signing]);
    if (bundle !== null) renameSync(sealedFileOf(files), trustFileOf(files));
    return { bundle: bundle ?? trust.bundle, keys: [signing] };
  },
};

/** Writes the next bundle, unless the one that is there says the same. */
async function trusting(
  files: SigningFiles,
  { bundle }: Trust,
  of: { readonly trusted: readonly SigningKey[]; readonly sealers: readonly SigningKey[] },
): Promise<TrustBundle> {
  const next = bundleTrusting(bundle, of.trusted);
  if (next === null) return bundle;
  replaceFile(trustFileOf(files), JSON.stringify(await sealTrust(next, of.sealers)));
  return next;
}

/** The bundle after this one that trusts these keys; null if this one does already. */
function bundleTrusting(bundle: TrustBundle, trusted: readonly SigningKey[]): TrustBundle | null {
  const signingKeys = trusted.map(({ keyId, publicKey }) => ({ keyId, publicKey }));
  const idsOf = (keys: readonly { readonly keyId: string }[]) =>
    keys.map(({ keyId }) => keyId).join(' ');
  if (idsOf(bundle.signingKeys) === idsOf(signingKeys)) return null;
  return { ...bundle, serial: bundle.serial + 1, signingKeys };
}

/** Whether a `drop` that died has left exactly this bundle, ready to take its place. */
function isSealed(
  files: SigningFiles,
  of: { readonly trust: Trust; readonly bundle: TrustBundle },
): boolean {
  if (!existsSync(sealedFileOf(files))) return false;
  const sealed = Trust.read(readFileSync(sealedFileOf(files), 'utf8'));
  return (
    of.trust.vouchesFor(sealed.envelope) === 'fits' &&
    JSON.stringify(sealed.bundle) === JSON.stringify(of.bundle)
  );
}

const newestOf = ({ signingKeys }: TrustBundle): string | undefined => signingKeys.at(-1)?.keyId;
const trustFileOf = ({ certificates }: SigningFiles): string => join(certificates, 'trust.json');
/** A bundle that waits for the old key to go. */
const sealedFileOf = (files: SigningFiles): string => `${trustFileOf(files)}.next`;

function readState(files: SigningFiles): State {
  const read = (path: string) => {
    if (existsSync(path)) return readFileSync(path, 'utf8');
    throw new FixpointError('not_found', `${path} is not there`, {
      hint: 'name the files with --key-file and --certificates',
    });
  };
  const keys = signingKeysIn(read(files.keyFile));
  if (keys.length > 2) {
    throw new FixpointError('conflict', `${files.keyFile} holds more than two keys`, {
      hint: 'leave the one that signs, first, and at most one more',
    });
  }
  return { trust: Trust.read(read(trustFileOf(files))), keys };
}

function writeKeys({ keyFile }: SigningFiles, keys: readonly SigningKey[]): void {
  const texts = keys.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' }));
  replaceFile(keyFile, texts.join(''));
}

/** The old content or the new one, whatever happens meanwhile; for its owner only. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}

const noKey = ({ keyFile }: SigningFiles): FixpointError =>
  new FixpointError('not_found', `${keyFile} holds no key`);

const wrongTurn = (why: string, next: RotationPhase): FixpointError =>
  new FixpointError('conflict', why, {
    hint: `the next phase is: fixpoint setup rotate signing --phase ${next}`,
  });

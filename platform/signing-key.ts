import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { promisify } from 'node:util';
import { preAuthEncoding } from '../domain/dsse.ts';
import { FixpointError } from '../domain/errors.ts';
import { keyIdOf } from './signature.ts';

/** A key that signs jobs and trust bundles. Only workers and the operator's own command have one. */
export type SigningKey = {
  readonly keyId: string;
  readonly privateKey: KeyObject;
  /** SPKI in PEM, as trust bundles hold it. */
  readonly publicKey: string;
};

const signOffLoop = promisify(sign);
const block = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/g;

/** A new Ed25519 key, PKCS #8 in PEM. */
export const newSigningKey = (): string =>
  generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;

/**
 * The keys of a setting or a file: PKCS #8 in PEM, with a comma or nothing between two. The first
 * signs. Throws `invalid_payload` if there is none, or anything else.
 */
export function signingKeysIn(text: string): readonly [SigningKey, ...SigningKey[]] {
  const rest = text.replaceAll(block, '').replaceAll(/[\s,]/g, '');
  const [first, ...others] = (text.match(block) ?? []).map(keyOf);
  if (first !== undefined && rest === '') return [first, ...others];
  throw flaw();
}

/** The signature (base64) of `payload` under its type; made in the thread pool, not on the loop. */
export async function signatureOf(
  of: { readonly payloadType: string; readonly payload: Uint8Array },
  key: SigningKey,
): Promise<string> {
  const bytes = preAuthEncoding(of.payloadType, of.payload);
  return (await signOffLoop(null, bytes, key.privateKey)).toString('base64');
}

function keyOf(pem: string): SigningKey {
  let privateKey: KeyObject | undefined;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    // Told below, without what was read: it is a secret.
  }
  if (privateKey?.asymmetricKeyType !== 'ed25519') throw flaw();
  const publicKey = createPublicKey(privateKey);
  return {
    keyId: keyIdOf(publicKey),
    privateKey,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

const flaw = (): FixpointError =>
  new FixpointError('invalid_payload', 'a signing key must be Ed25519, PKCS #8 in PEM', {
    hint: 'make one with: openssl genpkey -algorithm ed25519',
  });

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { preAuthEncoding } from '../domain/dsse.ts';
import { FixpointError } from '../domain/errors.ts';
import { sha256Hex } from './digest.ts';

/** Bytes of one type with the Ed25519 signature (base64) that somebody says is over them (DSSE). */
export type Signed = {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signature: string;
};

/** An Ed25519 public key from SPKI in PEM. Throws `invalid_payload` for anything else. */
export function publicKeyOf(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPublicKey(pem);
  } catch {
    // Told below: what it is instead is of no use to anyone.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new FixpointError('invalid_payload', 'a signing key is no Ed25519 public key in PEM');
}

/** The same from its 32 bytes in base64url, as tokens hold it. */
export const publicKeyOfBytes = (bytes: string): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes }, format: 'jwk' });

/** The 32 bytes of an Ed25519 public key, base64url. */
export const bytesOfPublicKey = (key: KeyObject): string => key.export({ format: 'jwk' }).x ?? '';

/** A key's name: 16 hex digits of SHA-256 over its SPKI. The same key has the same name anywhere. */
export const keyIdOf = (publicKey: KeyObject): string =>
  sha256Hex(publicKey.export({ type: 'spki', format: 'der' })).slice(0, 16);

/** Whether the signature is `key`'s, over this type and these bytes. Never throws. */
export const isSignedBy = (signed: Signed, key: KeyObject): boolean =>
  verify(
    null,
    preAuthEncoding(signed.payloadType, signed.payload),
    key,
    Buffer.from(signed.signature, 'base64'),
  );

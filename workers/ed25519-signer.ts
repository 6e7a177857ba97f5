import type { TaskSigner } from '../activities/index.ts';
import { signatureOf, signingKeysIn } from '../platform/signing-key.ts';

/**
 * Signs with the first of the keys in `pem`; others are those that it replaces. Throws
 * `invalid_payload` if there is no key.
 */
export function ed25519Signer(pem: string): TaskSigner {
  const [key] = signingKeysIn(pem);
  return { keyId: key.keyId, sign: (of) => signatureOf(of, key) };
}

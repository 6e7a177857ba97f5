import { sign } from 'node:crypto';
import { payloadTypes, type TrustBundle, type TrustEnvelope } from '../../contracts/trust.ts';
import { preAuthEncoding } from '../../domain/dsse.ts';
import { newSigningKey, type SigningKey, signingKeysIn } from '../../platform/signing-key.ts';
import { sealTrust } from '../../platform/trust-seal.ts';
import { ed25519Signer } from '../../workers/ed25519-signer.ts';

export const aSigningKey = (): SigningKey => signingKeysIn(newSigningKey())[0];

/** PKCS #8. */
export const testKeyPem = newSigningKey();

/** The key that signs what tests give to real agents, unless they say otherwise. */
export const testKey: SigningKey = signingKeysIn(testKeyPem)[0];
export const testSigner = ed25519Signer(testKeyPem);

/** The signature over a job's text. */
export const signedBy = (key: SigningKey, text: string): string =>
  sign(null, preAuthEncoding(payloadTypes.job, Buffer.from(text)), key.privateKey).toString(
    'base64',
  );

/** A bundle that trusts `keys`, sealed by `by`; by the test's own key alone where nothing is said. */
export const aTrust = (
  of: Partial<TrustBundle> & {
    readonly keys?: readonly SigningKey[];
    readonly by?: readonly SigningKey[];
  } = {},
): Promise<TrustEnvelope> => {
  const keys = of.keys ?? [testKey];
  const signingKeys = keys.map(({ keyId, publicKey }) => ({ keyId, publicKey }));
  const bundle = { serial: of.serial ?? 1, signingKeys, authorities: of.authorities ?? [] };
  return sealTrust(bundle, of.by ?? keys);
};

import {
  payloadTypes,
  type TrustBundle,
  type TrustEnvelope,
  trustBundle,
  trustEnvelope,
} from '../contracts/trust.ts';
import { type SigningKey, signatureOf } from './signing-key.ts';

/**
 * A bundle signed by all of `keys`, so that whoever trusts one of them can follow: also an agent
 * that was away while the key before this one was being replaced.
 */
export async function sealTrust(
  bundle: TrustBundle,
  keys: readonly SigningKey[],
): Promise<TrustEnvelope> {
  const payload = Buffer.from(JSON.stringify(trustBundle.parse(bundle)));
  const signatures = keys.map(async (key) => ({
    keyid: key.keyId,
    sig: await signatureOf({ payloadType: payloadTypes.trust, payload }, key),
  }));
  return trustEnvelope.parse({
    payloadType: payloadTypes.trust,
    payload: payload.toString('base64'),
    signatures: await Promise.all(signatures),
  });
}

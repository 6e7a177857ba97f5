// @peculiar/x509 resolves its parts through decorators' metadata, which this import provides.
import 'reflect-metadata';
import { createPublicKey, webcrypto, type X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { FixpointError } from '../domain/errors.ts';
import { sha256Hex } from '../platform/digest.ts';

export { createAuthority, issueCertificate, type KeyPair } from '../platform/authority.ts';

/** What a certificate request proves: somebody holds this key. */
export type RequestedKey = {
  readonly publicKey: x509.PublicKey;
  /** SHA-256 of the key (SPKI), hex. */
  readonly digest: string;
};

/**
 * The key of a request (PKCS #10, PEM). Everything else in it, names above all, is ignored. Throws
 * `invalid_payload` if it cannot be read, is not signed by its own key, or the key is neither
 * P-256 nor Ed25519.
 */
export async function requestedKey(pem: string): Promise<RequestedKey> {
  const flaw = (what: string, cause?: unknown) =>
    new FixpointError('invalid_payload', `the certificate request ${what}`, { cause });
  let request: x509.Pkcs10CertificateRequest;
  let key: ReturnType<typeof createPublicKey>;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
    const spki = Buffer.from(request.publicKey.rawData);
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw flaw('cannot be read', cause);
  }
  const isP256 = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isP256 && key.asymmetricKeyType !== 'ed25519')
    throw flaw('must have a P-256 or Ed25519 key');
  const isSigned = await request.verify(webcrypto).catch(() => false);
  if (!isSigned) throw flaw('is not signed by its own key');
  return { publicKey: request.publicKey, digest: keyDigestOf(key) };
}

/** SHA-256 of a public key as SPKI, hex. */
const keyDigestOf = (key: ReturnType<typeof createPublicKey>): string =>
  sha256Hex(key.export({ format: 'der', type: 'spki' }));

/**
 * The agent that a verified certificate names, or null if it names none or several. The chain was
 * checked by TLS before; this reads the identity only.
 */
export function agentIdOfCertificate(certificate: X509Certificate): string | null {
  const uris = namesIn(certificate).flatMap((name) => {
    const match = /^URI:spiffe:\/\/fixpoint\/agent\/([0-9a-hjkmnp-tv-z]{12})$/.exec(name);
    return match?.[1] === undefined ? [] : [match[1]];
  });
  return uris.length === 1 ? (uris[0] ?? null) : null;
}

/** How often the agent's certificate was renewed before; 0 in one that does not say. */
export function generationOfCertificate(certificate: X509Certificate): number {
  const name = namesIn(certificate).find((each) => each.startsWith(generationName));
  return Number(name?.slice(generationName.length) ?? 0);
}

const generationName = 'URI:fixpoint:generation?n=';

const namesIn = (certificate: X509Certificate): readonly string[] =>
  (certificate.subjectAltName ?? '').split(', ');

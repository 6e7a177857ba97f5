// @peculiar/x509 resolves its parts through decorators' metadata, which this import provides.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { limits } from '../contracts/limits.ts';
import type { Clock } from './clock.ts';

/**
 * The small authority behind the agent link. An agent's identity is a URI in its certificate
 * (invariant 9), its labels are a second one, so that neither can be claimed by the agent itself
 * (rule X5). All keys are P-256: 20 times cheaper to sign with than RSA.
 */

/** Certificate and private key (PKCS #8), both PEM. The key belongs in a file of mode 0600. */
export type KeyPair = { readonly certificate: string; readonly key: string };

/** What was issued; `serial` is hex, `notAfter` is Unix milliseconds. */
export type IssuedCertificate = KeyPair & { readonly serial: string; readonly notAfter: number };

export type CertificateSubject =
  | {
      readonly kind: 'agent';
      readonly agentId: string;
      readonly labels: Readonly<Record<string, string>>;
      /** How often it was renewed; 0 unless given. */
      readonly generation?: number;
    }
  | { readonly kind: 'gateway' };

const day = 86_400_000;
const authorityMs = 3_650 * day;
const certificateMs = 397 * day;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const gatewayUri = 'spiffe://fixpoint/gateway';
const agentUri = (agentId: string): string => `spiffe://fixpoint/agent/${agentId}`;

/** A new authority, valid for ten years. */
export async function createAuthority(clock: Clock): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...validity(clock, authorityMs),
      name: 'CN=Fixpoint agent link',
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { certificate: certificate.toString('pem'), key: await pemOfKey(keys.privateKey) };
}

/** A new key with a certificate of `authority`, valid for 13 months. Two calls issue two. */
export async function issueCertificate(of: {
  readonly authority: KeyPair;
  readonly subject: CertificateSubject;
  readonly clock: Clock;
}): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const { publicKey } = keys;
  const signed = await signCertificate({ ...of, publicKey, lifeMs: certificateMs });
  return { ...signed, key: await pemOfKey(keys.privateKey) };
}

/**
 * A certificate of `authority` for a key that is somebody else's. `lifeMs` counts from now; the
 * certificate is valid a day before, because a host whose clock is slow would meet one that is
 * not valid yet, and reconnect for ever (rule R10).
 */
export async function signCertificate(of: {
  readonly authority: KeyPair;
  readonly subject: CertificateSubject;
  readonly publicKey: x509.PublicKeyType;
  readonly lifeMs: number;
  readonly clock: Clock;
}): Promise<Omit<IssuedCertificate, 'key'>> {
  const issuer = new x509.X509Certificate(of.authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...validity(of.clock, of.lifeMs),
      issuer: issuer.subject,
      subject: of.subject.kind === 'agent' ? `CN=${of.subject.agentId}` : 'CN=gateway',
      publicKey: of.publicKey,
      signingKey: await privateKeyOf(of.authority.key),
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          of.subject.kind === 'agent'
            ? x509.ExtendedKeyUsage.clientAuth
            : x509.ExtendedKeyUsage.serverAuth,
        ]),
        new x509.SubjectAlternativeNameExtension(namesOf(of.subject)),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return {
    certificate: certificate.toString('pem'),
    serial: certificate.serialNumber,
    notAfter: certificate.notAfter.getTime(),
  };
}

function validity(clock: Clock, lifeMs: number) {
  // The first bit is cleared, so that DER does not read a negative number.
  const serial = Buffer.from(clock.randomBytes(16));
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  return {
    serialNumber: serial.toString('hex'),
    notBefore: new Date(clock.now() - limits.certificateBackdatedMs),
    notAfter: new Date(clock.now() + lifeMs),
  };
}

function namesOf(subject: CertificateSubject): x509.JsonGeneralNames {
  if (subject.kind === 'gateway') {
    return [
      { type: 'url', value: gatewayUri },
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
    ];
  }
  return [
    { type: 'url', value: agentUri(subject.agentId) },
    { type: 'url', value: `fixpoint:labels?${new URLSearchParams({ ...subject.labels })}` },
    { type: 'url', value: `fixpoint:generation?n=${subject.generation ?? 0}` },
  ];
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function privateKeyOf(pem: string): Promise<webcrypto.CryptoKey> {
  const bytes = x509.PemConverter.decodeFirst(pem);
  return webcrypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']);
}

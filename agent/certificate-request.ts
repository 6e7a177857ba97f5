import { createPublicKey, type KeyObject, sign } from 'node:crypto';

// Tags of DER (X.690) that a request is made of.
const tags = { integer: 0x02, bitString: 0x03, sequence: 0x30, attributes: 0xa0 } as const;
// SEQUENCE { OID ecdsa-with-SHA256 1.2.840.10045.4.3.2 }, RFC 5758.
const ecdsaWithSha256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

/**
 * A certificate request (PKCS #10, PEM) for a P-256 key. It proves that its maker holds the key
 * and names nobody: names come from the token (rule X5). Made by hand, because a library that
 * makes certificates would be most of what the agent has in memory.
 */
export function certificateRequest(privateKey: KeyObject): string {
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const info = element(tags.sequence, [
    element(tags.integer, [Buffer.from([0])]),
    element(tags.sequence, []),
    publicKey,
    element(tags.attributes, []),
  ]);
  const signature = sign('sha256', info, privateKey);
  const unusedBits = Buffer.from([0]);
  const request = element(tags.sequence, [
    info,
    ecdsaWithSha256,
    element(tags.bitString, [unusedBits, signature]),
  ]);
  const lines = request.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.trimEnd()}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** Tag, length, content. Nothing here is longer than 65,535 bytes. */
function element(tag: number, parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

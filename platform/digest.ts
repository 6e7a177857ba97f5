import { hash, timingSafeEqual, X509Certificate } from 'node:crypto';

/** SHA-256 of UTF-8 text or bytes. */
export const sha256 = (data: string | Uint8Array): Uint8Array => hash('sha256', data, 'buffer');

/** SHA-256 in hex. */
export const sha256Hex = (data: string | Uint8Array): string => hash('sha256', data, 'hex');

/**
 * SHA-256 of a certificate (DER), hex: what tokens and the register name an authority by. Throws for
 * what is no certificate in PEM.
 */
export const fingerprintOf = (pem: string): string => sha256Hex(new X509Certificate(pem).raw);

/** How a script's content is named (design 5.6): `sha256:` and 64 hex digits. */
export const contentDigestOf = (content: string): string => `sha256:${sha256Hex(content)}`;

/** Whether two secrets are equal, in a time that tells nothing of where they differ. */
export const sameSecret = (left: string, right: string): boolean =>
  timingSafeEqual(sha256(left), sha256(right));

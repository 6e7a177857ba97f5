import { z } from 'zod';
import { limits } from './limits.ts';
import { keyId, signature } from './task.ts';

/** What a signature is over, beside the bytes (DSSE): a job's can never pass for a bundle's. */
export const payloadTypes = {
  job: 'application/vnd.fixpoint.job+json',
  trust: 'application/vnd.fixpoint.trust+json',
} as const;

const signingKey = z.object({
  keyId,
  /** Ed25519, SPKI in PEM. */
  publicKey: z.string().max(limits.trustPemBytes),
});

/**
 * Whom the agents trust: keys that may sign jobs and the next bundle, and authorities of gateways'
 * certificates (PEM). A bundle replaces the one before it whole; `serial` only grows.
 */
export const trustBundle = z.object({
  serial: z.int().min(1),
  signingKeys: z
    .array(signingKey)
    .min(1)
    .max(limits.trustAnchorsMax)
    .refine((keys) => new Set(keys.map((key) => key.keyId)).size === keys.length, {
      error: 'two keys have the same id',
    }),
  authorities: z.array(z.string().max(limits.trustPemBytes)).max(limits.trustAnchorsMax),
});
export type TrustBundle = z.infer<typeof trustBundle>;

/**
 * What is told to whoever has no bundle yet, by a way that no gateway stands in: the keys of which
 * one must have sealed its first bundle, and the serial which that has at least, so that one whose
 * keys were dropped since is not brought back. A key is the 32 bytes of Ed25519 in base64url: that
 * is shorter than a digest of it, and checks a seal also where the bundle holds the key no more.
 */
export const trustRoot = z.object({
  keys: z
    .array(z.string().regex(/^[A-Za-z0-9_-]{43}$/))
    .min(1)
    .max(limits.trustAnchorsMax),
  serial: z.int().min(1),
});
export type TrustRoot = z.infer<typeof trustRoot>;

/**
 * A bundle as it travels and lies in `trust.json`: a DSSE envelope. `payload` is the bundle's exact
 * bytes in base64, signed by every key its maker had, of which whoever takes it must trust one.
 */
export const trustEnvelope = z.object({
  payloadType: z.literal(payloadTypes.trust),
  payload: z.base64().max(limits.trustBytes),
  signatures: z
    .array(z.object({ keyid: keyId, sig: signature }))
    .min(1)
    .max(limits.trustAnchorsMax),
});
export type TrustEnvelope = z.infer<typeof trustEnvelope>;

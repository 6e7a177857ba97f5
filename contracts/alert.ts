import { z } from 'zod';
import { limits } from './limits.ts';

/**
 * Labels keep the sender's names, which may be any UTF-8, `__proto__` included (webhooks.md 8.7):
 * so they are pairs sorted by name, never a plain object.
 */
export const labelPair = z.tuple([z.string().min(1), z.string()]);
export type LabelPair = z.infer<typeof labelPair>;

const instant = z.string().max(64);

/** One firing or resolved notification, normalised (design 5.1). Times are RFC 3339, nanoseconds kept. */
export const alert = z.object({
  source: z.string().min(1).max(64),
  fingerprint: z.string().min(1).max(128),
  status: z.enum(['firing', 'resolved']),
  startsAt: instant,
  /** Null while firing: Alertmanager's zero time is not a time. */
  endsAt: instant.nullable(),
  name: z.string(),
  severity: z.string(),
  labels: z.array(labelPair).max(limits.labelsMax),
  annotations: z.array(labelPair).max(limits.labelsMax),
  receivedAt: instant,
  deliveryId: z.string().length(26),
  /** SHA-256 of the entry as it came, hex. */
  rawDigest: z.string(),
  /** The sender cut the list this came in: such an alert is held, never acted on (invariant 6). */
  truncated: z.boolean(),
});
export type Alert = z.infer<typeof alert>;

/** What became of one received entry, counted once (invariant 1). Each names its reason, if any. */
export const fate = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('handed') }),
  z.object({ kind: z.literal('duplicate') }),
  z.object({ kind: z.literal('recorded') }),
  z.object({
    kind: z.literal('suppressed'),
    reason: z.enum(['resolved', 'shielded', 'maintenance']),
  }),
  z.object({ kind: z.literal('held'), reason: z.enum(['stale', 'truncated', 'mass']) }),
  z.object({ kind: z.literal('quarantined'), reason: z.string() }),
  z.object({ kind: z.literal('unmatched') }),
]);
export type Fate = z.infer<typeof fate>;

/** An entry that could not become an alert, kept for a look: which field, what value, why. */
export const quarantined = z.object({
  source: z.string(),
  receivedAt: instant,
  rawDigest: z.string(),
  field: z.string(),
  /** At most `limits.quarantineValueBytes`, as JSON text. */
  value: z.string(),
  reason: z.string(),
});
export type Quarantined = z.infer<typeof quarantined>;

import { type Alert, alert as alertSchema } from '../contracts/alert.ts';
import type { AlertRef } from '../contracts/temporal.ts';
import { alertRefOf } from '../domain/alert-ref.ts';
import { instantOf, sortableInstant } from '../domain/instant.ts';
import type { StreamEntry } from '../redis/intake-entries.ts';

/** The alert of a kept entry; null if it is none that this version knows. */
export function alertOf({ text }: StreamEntry): Alert | null {
  try {
    const parsed = alertSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null; // No JSON is one more way not to be an alert.
  }
}

/** What Redis is asked about an entry before it is handled. */
export function questionOf(entry: StreamEntry) {
  const alert = alertOf(entry);
  const start = alert?.status === 'firing' ? instantOf(alert.startsAt) : null;
  return {
    id: entry.id,
    fingerprint: alert?.fingerprint ?? '',
    startsAt: start === null ? '' : sortableInstant(start),
  };
}

/** When Redis took an entry in, by its own clock, which is one for all apis. Unix milliseconds. */
export const keptAtMs = ({ id }: StreamEntry): number => Number(id.split('-')[0]);

/** The alert as a remediation that only tells of it gets it. */
export const refOf = (alert: Alert, late: boolean): AlertRef =>
  alertRefOf(alert, { late, annotations: nothingNamed });

const nothingNamed: ReadonlySet<string> = new Set();

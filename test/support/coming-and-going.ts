import type { AlertRef } from '../../contracts/temporal.ts';
import { anAlert, aResolved } from './builders.ts';

const firstMs = Date.parse('2026-01-01T00:00:00Z');

/**
 * The nth word on an alert that comes and goes, from 0: firing, resolved, firing … Each firing
 * begins after the end before it, so that it is a new episode.
 */
export function wordOn(n: number, over: Partial<AlertRef> = {}): AlertRef {
  const at = (count: number) => new Date(firstMs + count * 1_000).toISOString();
  return n % 2 === 0
    ? anAlert({ startsAt: at(n), ...over })
    : aResolved({ startsAt: at(n - 1), endsAt: at(n), ...over });
}

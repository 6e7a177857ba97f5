import type { Redis } from 'ioredis';
import { keys } from './keys.ts';

/** For each fingerprint the latest known end, as 20 digits of nanoseconds; null where none is known. */
export async function readTombstones(
  client: Redis,
  fingerprints: readonly string[],
): Promise<(string | null)[]> {
  if (fingerprints.length === 0) return [];
  return await client.mget(...fingerprints.map(keys.intake.tombstone));
}

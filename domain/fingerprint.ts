import type { LabelPair } from '../contracts/alert.ts';
import type { Sha256 } from './ids.ts';

/**
 * 16 hex digits over source and identifying labels (names 2), for senders that give no fingerprint
 * of their own. The order of the labels does not matter.
 */
export function fingerprintOf(
  source: string,
  labels: readonly LabelPair[],
  sha256: Sha256,
): string {
  const sorted = [...labels].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
  return Array.from(sha256(JSON.stringify([source, sorted])).subarray(0, 8), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

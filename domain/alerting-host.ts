import type { LabelPair } from '../contracts/alert.ts';
import type { FrozenTargets } from '../contracts/frozen.ts';
import { hostValue } from './target-selection.ts';

/**
 * The host that an alert is about, for counting: what its policy looks hosts up by, where that can be
 * read; else the label `instance` without its port, as exporters have it; else the alert itself, so
 * that nothing goes uncounted.
 */
export function alertingHost(
  alert: { readonly fingerprint: string; readonly labels: readonly LabelPair[] },
  { from }: Pick<FrozenTargets, 'from'>,
): string {
  const labels = new Map(alert.labels);
  const named = from === null ? null : hostValue(labels.get(from.label), from.strip);
  return named ?? hostValue(labels.get('instance'), 'port') ?? alert.fingerprint;
}

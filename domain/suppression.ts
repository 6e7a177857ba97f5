import type { LabelPair } from '../contracts/alert.ts';
import { type MaintenanceWindow, openWindow } from './maintenance.ts';
import { failingMatcher, type Matcher } from './matchers.ts';

/** What a policy leaves alone although it would take it. */
export type SuppressionRule = {
  /** An alert is shielded if it satisfies all matchers of one entry. */
  readonly shield: readonly (readonly Matcher[])[];
  readonly maintenance: readonly MaintenanceWindow[];
};

/** `detail` says which matchers, or which window and until when. */
export type Suppression = {
  readonly reason: 'shielded' | 'maintenance';
  readonly detail: string;
};

/**
 * Why a policy that takes an alert does not act on it now; null if nothing keeps it. A resolved
 * alert is never suppressed: what may run already must hear of it (rule R4).
 */
export function suppressionOf(
  alert: { readonly status: 'firing' | 'resolved'; readonly labels: readonly LabelPair[] },
  { shield, maintenance }: SuppressionRule,
  nowMs: number,
): Suppression | null {
  if (alert.status === 'resolved') return null;
  const labels = new Map(alert.labels);
  const entry = shield.find((matchers) => isShielding(matchers, labels));
  if (entry !== undefined) {
    return { reason: 'shielded', detail: entry.map(({ text }) => text).join(' and ') };
  }
  const open = openWindow(maintenance, nowMs);
  if (open === null) return null;
  const until = new Date(open.untilMs).toISOString();
  return { reason: 'maintenance', detail: `${open.window.text}, until ${until}` };
}

/** Empty never means all (invariant 6). */
const isShielding = (matchers: readonly Matcher[], labels: ReadonlyMap<string, string>): boolean =>
  matchers.length > 0 && failingMatcher(matchers, labels) === null;

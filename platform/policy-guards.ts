import type { BreakerSpec } from '../contracts/breaker.ts';
import type { Damping } from '../contracts/guard-refusal.ts';
import type { PolicySpec } from '../contracts/policy.ts';
import { durationText } from '../domain/duration-text.ts';
import type { MaintenanceWindow } from '../domain/maintenance.ts';
import type { SuppressionRule } from '../domain/suppression.ts';
import { parseCron } from './cron.ts';
import { type FlawedDocument, parseMatchers } from './policy-matchers.ts';
import { flawAt } from './schema-flaws.ts';

/** What a policy leaves alone; a matcher or a cron expression that is none becomes a flaw. */
export function suppressionRule(
  { shield, maintenance }: PolicySpec['guards'],
  of: FlawedDocument,
): SuppressionRule {
  return {
    shield: shield.map((entry, at) => parseMatchers(entry, ['guards', 'shield', at], of)),
    maintenance: maintenance.flatMap((window, at) => windowOf(window, at, of)),
  };
}

/** How the mailboxes of a policy damp alerts that come and go. */
export const dampingOf = ({ flap, confirmFor }: PolicySpec['guards']): Damping => ({
  confirmForMs: confirmFor,
  flap: flap === 'off' ? null : { changes: flap.changes, windowMs: flap.window },
});

/** The breaker of a policy, as its repairs freeze it; undefined where it has none. */
export const breakerOf = ({ breaker }: PolicySpec['guards']): BreakerSpec | undefined =>
  breaker === 'off'
    ? undefined
    : { failures: breaker.failures, windowMs: breaker.window, openForMs: breaker.openFor };

type WindowSpec = PolicySpec['guards']['maintenance'][number];

function windowOf(spec: WindowSpec, at: number, of: FlawedDocument): MaintenanceWindow[] {
  const parsed = parseCron(spec.cron, spec.timeZone);
  if (parsed.kind === 'flawed') {
    const message = `"${spec.cron}" is no cron expression of five fields: ${parsed.reason}`;
    of.flaws.push(flawAt(of.document, ['guards', 'maintenance', at, 'cron'], message));
    return [];
  }
  const text = `"${spec.cron}" ${spec.timeZone} for ${durationText(spec.for)}`;
  return [{ begins: parsed.recurrence, forMs: spec.for, text }];
}

import type { Alert, Fate } from '../contracts/alert.ts';
import type { DeliveryRecord } from '../contracts/delivery.ts';
import type { Storm } from '../contracts/storm.ts';
import { alertingHost } from '../domain/alerting-host.ts';
import { instantOf, sortableInstant } from '../domain/instant.ts';
import { policiesFor } from '../domain/policy-match.ts';
import { suppressionOf } from '../domain/suppression.ts';
import type { Clock } from '../platform/clock.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';
import type { EntryEvidence, StreamEntry } from '../redis/intake-entries.ts';
import type { AlertingHost, MassSense } from '../redis/mass-sense.ts';
import type { Watchdog } from '../redis/watchdogs.ts';
import type { FleetView } from './fleet-view.ts';
import type { PolicyStore } from './policy-store.ts';
import { alertOf, keptAtMs } from './stream-alert.ts';

export type Outcome = DeliveryRecord['outcomes'][number];

/** What one policy does with an alert, or nobody does. */
export type Verdict =
  | { readonly kind: 'decided'; readonly outcome: Outcome }
  | { readonly kind: 'hand'; readonly policy: LoadedPolicy }
  | { readonly kind: 'storm'; readonly policy: LoadedPolicy; readonly storm: Storm };

/** `alert` is null for an entry that is none; then there are no verdicts. */
export type Judged = {
  readonly entry: StreamEntry;
  readonly alert: Alert | null;
  readonly verdicts: readonly Verdict[];
  /** It shows that its source lives. */
  readonly heard?: Watchdog;
};

export type JudgeDeps = {
  readonly policies: PolicyStore;
  readonly sense: MassSense;
  readonly fleet: FleetView;
  readonly clock: Clock;
};

/**
 * Decides about entries before anybody hears of them: what is left alone, and whether so many hosts
 * alert that nobody is to act (rule R14). Entries that were read together are counted together before
 * any of them is handed on, so that a burst is seen before its first part has started repairs.
 */
export class EntryJudge {
  readonly #deps: JudgeDeps;

  constructor(deps: JudgeDeps) {
    this.#deps = deps;
  }

  /** By position. Rejects if Redis does not answer; asking again about the same entries is harmless. */
  async judge(
    entries: readonly StreamEntry[],
    evidence: readonly EntryEvidence[],
  ): Promise<readonly Judged[]> {
    const known = (at: number) => evidence[at] ?? { tombstone: null, isDoubtful: false };
    const judged = entries.map((entry, at) => this.#ownVerdicts(entry, known(at)));
    const counted = judged.flatMap(({ entry, alert, verdicts }) =>
      alert?.status !== 'firing'
        ? []
        : verdicts.flatMap((verdict) =>
            verdict.kind === 'hand' ? [{ entry, alert, verdict }] : [],
          ),
    );
    await this.#deps.fleet.refresh();
    const hosts = counted.map(({ entry, alert, verdict }) =>
      this.#hostOf(entry, alert, verdict.policy),
    );
    const storms = await this.#deps.sense.count(hosts);
    const stormy = new Map(
      counted.map(({ verdict }, at) => [verdict as Verdict, storms[at] ?? null]),
    );
    return judged.map((one) => ({
      ...one,
      verdicts: one.verdicts.map((verdict) => inStorm(verdict, stormy.get(verdict) ?? null)),
    }));
  }

  #ownVerdicts(entry: StreamEntry, evidence: EntryEvidence): Judged {
    const alert = alertOf(entry);
    if (alert === null) return { entry, alert, verdicts: [] };
    const nowhere = (fate: Fate): Judged => ({
      ...{ entry, alert },
      verdicts: [{ kind: 'decided', outcome: { fate, policy: null, mailboxId: null } }],
    });
    if (alert.truncated) return nowhere({ kind: 'held', reason: 'truncated' });
    if (this.#deps.policies.isWatchdog(alert)) return watchdog(entry, alert);
    const policies = policiesFor(alert, this.#deps.policies.policies);
    if (policies.length === 0) return nowhere({ kind: 'unmatched' });
    const against = fateAgainst(alert, evidence);
    const now = this.#deps.clock.now();
    const verdicts = policies.map(
      (policy): Verdict =>
        against === null
          ? verdictOf(alert, policy, now)
          : { kind: 'decided', outcome: { fate: against, policy: policy.name, mailboxId: null } },
    );
    return { entry, alert, verdicts };
  }

  #hostOf(entry: StreamEntry, alert: Alert, policy: LoadedPolicy): AlertingHost {
    const { fleet } = this.#deps;
    const host = alertingHost(alert, policy.frozen.targets);
    const agent = fleet.agentOf({ alert, policy, host });
    const limit = fleet.massLimitOf(policy);
    return {
      policy: policy.name,
      host: agent?.agentId ?? host,
      domains: agent === null ? [] : fleet.domainsOf(agent, policy),
      limit: limit.hosts,
      limitText: limit.text,
      atMs: keptAtMs(entry),
    };
  }
}

/** A watchdog starts nothing, whatever policies would take it. */
function watchdog(entry: StreamEntry, alert: Alert): Judged {
  const { source, name: alertname, status } = alert;
  const isFiring = status === 'firing';
  const detail = isFiring
    ? 'a watchdog: it shows that its source lives'
    : 'a watchdog that ended: its source may be silent';
  const outcome: Outcome = { fate: { kind: 'recorded' }, policy: null, mailboxId: null, detail };
  const verdicts: readonly Verdict[] = [{ kind: 'decided', outcome }];
  return { entry, alert, verdicts, ...(isFiring ? { heard: { source, alertname } } : {}) };
}

function verdictOf(alert: Alert, policy: LoadedPolicy, nowMs: number): Verdict {
  const suppression = suppressionOf(alert, policy, nowMs);
  if (suppression === null) return { kind: 'hand', policy };
  const { reason, detail } = suppression;
  const fate: Fate = { kind: 'suppressed', reason };
  return { kind: 'decided', outcome: { fate, policy: policy.name, mailboxId: null, detail } };
}

const inStorm = (verdict: Verdict, storm: Storm | null): Verdict =>
  verdict.kind === 'hand' && storm !== null
    ? { kind: 'storm', policy: verdict.policy, storm }
    : verdict;

/** What the evidence makes of an alert that a policy would take; null if nothing speaks against it. */
function fateAgainst(alert: Alert, { tombstone, isDoubtful }: EntryEvidence): Fate | null {
  if (isOver(alert, tombstone)) return { kind: 'suppressed', reason: 'resolved' };
  return isDoubtful ? { kind: 'held', reason: 'stale' } : null;
}

/** A firing that began before the end that its sender told is late (invariant 7). */
function isOver(alert: Alert, tombstone: string | null): boolean {
  if (alert.status !== 'firing' || tombstone === null) return false;
  const startsAt = instantOf(alert.startsAt);
  return startsAt !== null && sortableInstant(startsAt) < tombstone;
}

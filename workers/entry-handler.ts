import type { Alert, Fate, Quarantined } from '../contracts/alert.ts';
import type { DeliveryRecord } from '../contracts/delivery.ts';
import { limits } from '../contracts/limits.ts';
import type { Storm } from '../contracts/storm.ts';
import { alertRefOf } from '../domain/alert-ref.ts';
import { groupIdOf } from '../domain/ids.ts';
import { millisecondsOf } from '../domain/instant.ts';
import { groupOf } from '../domain/policy-match.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { sha256, sha256Hex } from '../platform/digest.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';
import type { EntryEnd, StreamEntry } from '../redis/intake-entries.ts';
import type { AlertFile } from './alert-file.ts';
import type { Judged, Outcome, Verdict } from './entry-judge.ts';
import type { MailboxLanes } from './mailbox-lanes.ts';
import { type MailboxAddress, mailboxIdOf } from './mailbox-signals.ts';
import type { PolicyStore } from './policy-store.ts';
import type { StormTeller } from './storm-teller.ts';
import { refOf } from './stream-alert.ts';

type HandlerDeps = {
  readonly policies: Pick<PolicyStore, 'annotationsOf'>;
  readonly lanes: MailboxLanes;
  readonly storms: StormTeller;
  readonly alertFile: AlertFile;
  readonly clock: Clock;
  readonly crash: CrashPoints<'dispatcher'>;
};

/** Does what was decided about one entry, up to the acknowledgement. */
export class EntryHandler {
  readonly #deps: HandlerDeps;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
  }

  /**
   * How the entry ends, once every mailbox that takes it has it. Rejects only when the lanes were
   * stopped; the entry is then read again.
   */
  async handle({ entry, alert, verdicts, heard }: Judged): Promise<EntryEnd> {
    if (alert === null) return this.#poisoned(entry);
    const { alertFile, crash, clock } = this.#deps;
    const written = alertFile.append(alert);
    const outcomes = await Promise.all(
      verdicts.map((verdict) => this.#carryOut(alert, verdict, entry.claimed)),
    );
    await written;
    if (outcomes.some(({ mailboxId }) => mailboxId !== null)) crash('after-signal');
    return {
      fates: outcomes.map(({ fate }) => fate),
      record: recordOf(alert, outcomes),
      quarantined: null,
      receivedAtMs: millisecondsOf(alert.receivedAt) ?? clock.now(),
      ...(heard === undefined ? {} : { heard }),
    };
  }

  #carryOut(alert: Alert, verdict: Verdict, claimed: boolean): Promise<Outcome> {
    switch (verdict.kind) {
      case 'decided':
        return Promise.resolve(verdict.outcome);
      case 'hand':
        return this.#hand(alert, verdict.policy, claimed);
      case 'storm':
        return this.#hold(alert, verdict.policy, verdict.storm);
      default:
        return verdict satisfies never;
    }
  }

  async #hand(alert: Alert, policy: LoadedPolicy, claimed: boolean): Promise<Outcome> {
    const address = addressOf(alert, policy);
    const ref = alertRefOf(alert, {
      late: claimed && this.#isLate(alert, policy),
      annotations: this.#deps.policies.annotationsOf(policy.name),
    });
    this.#deps.crash('before-signal');
    const outcome = await this.#deps.lanes.send(address, ref);
    if (typeof outcome === 'object') return this.#hold(alert, policy, outcome.storm);
    return {
      fate: outcome === 'delivered' ? { kind: 'handed' } : fateOfAbsent(alert),
      policy: policy.name,
      mailboxId: mailboxIdOf(address),
    };
  }

  /** Only once people can see it: an entry that is held and told nowhere would be lost to them. */
  async #hold(alert: Alert, policy: LoadedPolicy, storm: Storm): Promise<Outcome> {
    const told = await this.#deps.storms.tell({ policy, storm, alert: refOf(alert, false) });
    return {
      fate: { kind: 'held', reason: 'mass' },
      policy: policy.name,
      mailboxId: null,
      detail: `${told.detail}; told by ${told.remediationId}`,
    };
  }

  /** Whether the mailbox that may have had this entry already may be gone by now (rule R2). */
  #isLate(alert: Alert, policy: LoadedPolicy): boolean {
    const { cooldownMs, lingerMinMs, maxRuns } = policy.settings;
    const lingerMs = Math.max(cooldownMs, lingerMinMs, maxRuns.windowMs);
    return this.#deps.clock.now() - (millisecondsOf(alert.receivedAt) ?? 0) > lingerMs / 2;
  }

  #poisoned(entry: StreamEntry): EntryEnd {
    const now = this.#deps.clock.now();
    const quarantined: Quarantined = {
      source: entry.source,
      receivedAt: new Date(now).toISOString(),
      rawDigest: sha256Hex(entry.text),
      field: '',
      value: entry.text.slice(0, limits.quarantineValueBytes),
      reason: 'the kept entry is no alert that this version knows',
    };
    return {
      fates: [{ kind: 'quarantined', reason: quarantined.reason }],
      record: null,
      quarantined,
      receivedAtMs: now,
    };
  }
}

/** A resolved with no mailbox open is recorded (R4); a late firing opens none (R2). */
const fateOfAbsent = (alert: Alert): Fate =>
  alert.status === 'resolved' ? { kind: 'recorded' } : { kind: 'held', reason: 'stale' };

function addressOf(alert: Alert, policy: LoadedPolicy): MailboxAddress {
  const group = groupOf(policy.spec.group.by, alert.labels);
  return {
    policy: policy.name,
    groupId: groupIdOf(group, sha256),
    group,
    settings: policy.settings,
  };
}

const recordOf = (alert: Alert, outcomes: readonly Outcome[]): DeliveryRecord => ({
  deliveryId: alert.deliveryId,
  source: alert.source,
  fingerprint: alert.fingerprint,
  name: alert.name,
  status: alert.status,
  startsAt: alert.startsAt,
  receivedAt: alert.receivedAt,
  outcomes,
  labels: alert.labels,
});

import {
  type Alert,
  alert as alertSchema,
  type Fate,
  type Quarantined,
} from '../contracts/alert.ts';
import type { DeliveryRecord } from '../contracts/delivery.ts';
import { limits } from '../contracts/limits.ts';
import type { AlertRef } from '../contracts/temporal.ts';
import { groupIdOf } from '../domain/ids.ts';
import { instantOf, millisecondsOf, sortableInstant } from '../domain/instant.ts';
import { groupOf, policiesFor } from '../domain/policy-match.ts';
import { type Suppression, suppressionOf } from '../domain/suppression.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { sha256, sha256Hex } from '../platform/digest.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';
import type { EntryEnd, EntryEvidence, StreamEntry } from '../redis/intake-entries.ts';
import type { AlertFile } from './alert-file.ts';
import type { MailboxLanes } from './mailbox-lanes.ts';
import { type MailboxAddress, mailboxIdOf } from './mailbox-signals.ts';
import type { PolicyStore } from './policy-store.ts';

type Outcome = DeliveryRecord['outcomes'][number];

/** Decides what becomes of one entry, and does it up to the acknowledgement. */
export class EntryHandler {
  readonly #policies: PolicyStore;
  readonly #lanes: MailboxLanes;
  readonly #alertFile: AlertFile;
  readonly #clock: Clock;
  readonly #crash: CrashPoints<'dispatcher'>;

  constructor(of: {
    readonly policies: PolicyStore;
    readonly lanes: MailboxLanes;
    readonly alertFile: AlertFile;
    readonly clock: Clock;
    readonly crash: CrashPoints<'dispatcher'>;
  }) {
    this.#policies = of.policies;
    this.#lanes = of.lanes;
    this.#alertFile = of.alertFile;
    this.#clock = of.clock;
    this.#crash = of.crash;
  }

  /**
   * How the entry ends, once every mailbox that takes it has it. Rejects only when the lanes were
   * stopped; the entry is then read again.
   */
  async handle(entry: StreamEntry, evidence: EntryEvidence): Promise<EntryEnd> {
    const alert = parseEntry(entry.text);
    if (alert === null) return this.#poisoned(entry);
    const written = this.#alertFile.append(alert);
    const outcomes = await this.#outcomes(alert, entry, evidence);
    await written;
    if (outcomes.some(({ mailboxId }) => mailboxId !== null)) this.#crash('after-signal');
    return {
      fates: outcomes.map(({ fate }) => fate),
      record: recordOf(alert, outcomes),
      quarantined: null,
      receivedAtMs: millisecondsOf(alert.receivedAt) ?? this.#clock.now(),
    };
  }

  async #outcomes(
    alert: Alert,
    entry: StreamEntry,
    evidence: EntryEvidence,
  ): Promise<readonly Outcome[]> {
    const nowhere = (fate: Fate): Outcome => ({ fate, policy: null, mailboxId: null });
    if (alert.truncated) return [nowhere({ kind: 'held', reason: 'truncated' })];
    const policies = policiesFor(alert, this.#policies.policies);
    if (policies.length === 0) return [nowhere({ kind: 'unmatched' })];
    const against = fateAgainst(alert, evidence);
    if (against !== null) {
      return policies.map(({ name }) => ({ fate: against, policy: name, mailboxId: null }));
    }
    const now = this.#clock.now();
    return Promise.all(
      policies.map((policy) => {
        const suppression = suppressionOf(alert, policy, now);
        return suppression === null
          ? this.#hand(alert, policy, entry.claimed)
          : suppressed(policy, suppression);
      }),
    );
  }

  async #hand(alert: Alert, policy: LoadedPolicy, claimed: boolean): Promise<Outcome> {
    const address = addressOf(alert, policy);
    const ref = refOf(alert, claimed && this.#isLate(alert, policy));
    this.#crash('before-signal');
    const outcome = await this.#lanes.send(address, ref);
    return {
      fate: outcome === 'delivered' ? { kind: 'handed' } : fateOfAbsent(alert),
      policy: policy.name,
      mailboxId: mailboxIdOf(address),
    };
  }

  /** Whether the mailbox that may have had this entry already may be gone by now (rule R2). */
  #isLate(alert: Alert, policy: LoadedPolicy): boolean {
    const { cooldownMs, lingerMinMs, maxRuns } = policy.settings;
    const lingerMs = Math.max(cooldownMs, lingerMinMs, maxRuns.windowMs);
    return this.#clock.now() - (millisecondsOf(alert.receivedAt) ?? 0) > lingerMs / 2;
  }

  #poisoned(entry: StreamEntry): EntryEnd {
    const now = this.#clock.now();
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

/** What Redis is asked about an entry before it is handled. */
export function questionOf(entry: StreamEntry) {
  const alert = parseEntry(entry.text);
  const start = alert?.status === 'firing' ? instantOf(alert.startsAt) : null;
  return {
    id: entry.id,
    fingerprint: alert?.fingerprint ?? '',
    startsAt: start === null ? '' : sortableInstant(start),
  };
}

function parseEntry(text: string): Alert | null {
  try {
    const parsed = alertSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null; // No JSON is one more way not to be an alert.
  }
}

const suppressed = ({ name }: LoadedPolicy, { reason, detail }: Suppression): Outcome => ({
  fate: { kind: 'suppressed', reason },
  policy: name,
  mailboxId: null,
  detail,
});

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

const refOf = (alert: Alert, late: boolean): AlertRef => ({
  fingerprint: alert.fingerprint,
  status: alert.status,
  startsAt: alert.startsAt,
  endsAt: alert.endsAt,
  name: alert.name,
  severity: alert.severity,
  labels: alert.labels,
  deliveryId: alert.deliveryId,
  receivedAtMs: millisecondsOf(alert.receivedAt) ?? 0,
  late,
});

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

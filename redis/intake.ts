import type { Redis } from 'ioredis';
import type { Alert, Quarantined } from '../contracts/alert.ts';
import { limits } from '../contracts/limits.ts';
import { instantOf, sortableInstant } from '../domain/instant.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { watchdogMember } from './watchdogs.ts';

const append = script('intake-append');
const counts = script('intake-counts');

/** What one webhook body became. */
export type Appended =
  | { readonly kind: 'kept'; readonly accepted: number; readonly duplicate: number }
  /** Nothing changed; the same body may be sent again. */
  | { readonly kind: 'full'; readonly backlog: number };

/** One counter of the intake; `fate` is `received` for the counter of its own. */
export type IntakeCount = {
  readonly source: string;
  readonly fate: string;
  readonly reason: string | null;
  readonly count: number;
};

/**
 * The near end of the intake (invariant 1): a body goes in whole, in one atomic step, or not at
 * all. Rejects when Redis does not answer; then it is not known whether the body went in, and the
 * sender's repeat is harmless because every entry is known by its delivery id.
 */
export class Intake {
  readonly #client: Redis;
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #replicas: number;

  constructor(of: {
    readonly client: Redis;
    readonly entriesMax: number;
    /** Bytes of waiting entries; `limits.intakeBytesMax` if absent. */
    readonly bytesMax?: number;
    /** Redis replicas that must have the body before it counts as kept. */
    readonly replicas: number;
  }) {
    this.#client = of.client;
    this.#entriesMax = of.entriesMax;
    this.#bytesMax = of.bytesMax ?? limits.intakeBytesMax;
    this.#replicas = of.replicas;
  }

  async append(of: {
    readonly source: string;
    readonly alerts: readonly Alert[];
    readonly quarantined: readonly Quarantined[];
  }): Promise<Appended> {
    const [ok, first, second] = numbers(
      await append(
        this.#client,
        [
          keys.intake.stream,
          keys.intake.fates,
          keys.intake.quarantine,
          keys.intake.bytes,
          keys.intake.watchdogs,
        ],
        [
          of.source,
          this.#entriesMax,
          limits.deliverySeenMs,
          limits.tombstoneMs,
          limits.quarantineMax,
          keys.intake.seen(''),
          keys.intake.tombstone(''),
          this.#bytesMax,
          of.alerts.length,
          of.quarantined.length,
          Date.parse(of.alerts[0]?.receivedAt ?? '') || 0,
          ...of.alerts.flatMap((alert) => [
            alert.deliveryId,
            JSON.stringify(alert),
            alert.fingerprint,
            tombstoneOf(alert),
            alert.status === 'firing'
              ? watchdogMember({ source: alert.source, alertname: alert.name })
              : '',
          ]),
          ...of.quarantined.map((entry) => JSON.stringify(entry)),
        ],
      ),
    );
    if (ok !== 1) return { kind: 'full', backlog: first ?? 0 };
    if (this.#replicas > 0) await this.#waitForReplicas();
    return { kind: 'kept', accepted: first ?? 0, duplicate: second ?? 0 };
  }

  /** All counters and the backlog of one moment. */
  async counts(): Promise<{
    readonly backlog: number;
    /** When the oldest waiting entry was kept, Unix milliseconds of Redis; null with none. */
    readonly oldestMs: number | null;
    readonly counts: readonly IntakeCount[];
  }> {
    const answer = await counts(this.#client, [keys.intake.stream, keys.intake.fates], []);
    const [backlog, oldest, ...fields] = Array.isArray(answer) ? answer : [0, ''];
    const found: IntakeCount[] = [];
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [source = '', fate = '', reason = null] = String(fields[at]).split('|');
      found.push({ source, fate, reason, count: Number(fields[at + 1]) });
    }
    const oldestMs = oldest === '' ? null : Number(String(oldest).split('-')[0]);
    return { backlog: Number(backlog), oldestMs, counts: found };
  }

  async #waitForReplicas(): Promise<void> {
    const reached = await this.#client.wait(this.#replicas, 500);
    if (reached < this.#replicas) {
      throw new Error(`${reached} of ${this.#replicas} replicas have the entries`);
    }
  }
}

const tombstoneOf = (alert: Alert): string => {
  const end = alert.status === 'resolved' && alert.endsAt !== null ? instantOf(alert.endsAt) : null;
  return end === null ? '' : sortableInstant(end);
};

const numbers = (answer: unknown): number[] =>
  Array.isArray(answer) ? answer.map((part) => Number(part)) : [];

import type { Redis } from 'ioredis';
import type { Fate, Quarantined } from '../contracts/alert.ts';
import type { DeliveryRecord } from '../contracts/delivery.ts';
import { limits } from '../contracts/limits.ts';
import { slices } from '../domain/slices.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { type Watchdog, Watchdogs } from './watchdogs.ts';

const ack = script('intake-ack');
const evidence = script('intake-evidence');
const givenCount = 500;
const readerGoneMs = 86_400_000;

/** An entry of the intake stream as it was kept; its text is parsed by whoever handles it. */
export type StreamEntry = {
  readonly id: string;
  readonly source: string;
  readonly deliveryId: string;
  readonly text: string;
  /** Whether another reader had it before and did not acknowledge it. */
  readonly claimed: boolean;
};

/** What speaks against acting on an entry. */
export type EntryEvidence = {
  /** The latest known end of its fingerprint, as 20 digits of nanoseconds; null where none is known. */
  readonly tombstone: string | null;
  /** It fires since before Redis lost what it knew, and nothing has repeated it since (rule R4). */
  readonly isDoubtful: boolean;
};

/** How an entry ended: one fate, or one per policy that took a copy. */
export type EntryEnd = {
  readonly fates: readonly Fate[];
  readonly record: DeliveryRecord | null;
  readonly quarantined: Quarantined | null;
  readonly receivedAtMs: number;
  /** It shows that its source lives. */
  readonly heard?: Watchdog;
};

/**
 * The far end of the intake, one instance per dispatcher. An entry that was read and not ended is
 * read again by another after a while, so nothing is lost with a reader.
 */
export class IntakeEntries {
  readonly #client: Redis;
  readonly #blocking: Redis;
  readonly #consumer: string;
  readonly #watchdogs: Watchdogs;
  #beforeGroup: () => Promise<void> = async () => {};

  constructor(of: {
    readonly client: Redis;
    /** A connection of its own, because a blocking read holds up everything behind it. */
    readonly blocking: Redis;
    /** Unique per process. */
    readonly consumer: string;
  }) {
    this.#client = of.client;
    this.#watchdogs = new Watchdogs(of.client);
    this.#blocking = of.blocking;
    this.#consumer = of.consumer;
  }

  /**
   * Does `work` before a missing group is made, and so before anything that came in since can be
   * read. One that rejects fails the call that found the group missing, which may be made again.
   */
  beforeGroup(work: () => Promise<void>): void {
    this.#beforeGroup = work;
  }

  /** New entries in their order; none after `blockMs`. The group is made when it is missing. */
  async read(of: { readonly count: number; readonly blockMs: number }): Promise<StreamEntry[]> {
    const answer = await this.#withGroup(() =>
      this.#blocking.xreadgroup(
        'GROUP',
        keys.intake.group,
        this.#consumer,
        'COUNT',
        of.count,
        'BLOCK',
        of.blockMs,
        'STREAMS',
        keys.intake.stream,
        '>',
      ),
    );
    return streamsOf(answer).flatMap((rows) => entriesOf(rows, false));
  }

  /**
   * Entries that this reader was given and whose answer may have been lost on the way, as after a
   * broken connection; the caller leaves out those it has in hand.
   */
  async given(): Promise<StreamEntry[]> {
    const found: StreamEntry[] = [];
    for (let after = '0'; ; ) {
      const answer: unknown = await this.#withGroup(() =>
        this.#client.xreadgroup(
          'GROUP',
          keys.intake.group,
          this.#consumer,
          'COUNT',
          givenCount,
          'STREAMS',
          keys.intake.stream,
          after,
        ),
      );
      const rows = streamsOf(answer).flat();
      const last: unknown = rows.at(-1);
      if (!Array.isArray(last)) return found;
      found.push(...entriesOf(rows, false));
      after = String(last[0]);
    }
  }

  /** Forgets readers that are gone: nothing in their hands, and silent for a day. */
  async forgetReaders(): Promise<void> {
    const answer: unknown = await this.#withGroup(() =>
      this.#client.xinfo('CONSUMERS', keys.intake.stream, keys.intake.group),
    );
    for (const row of Array.isArray(answer) ? answer : []) {
      const fields = fieldsOf(row);
      const isGone = fields.get('pending') === '0' && Number(fields.get('idle')) > readerGoneMs;
      const name = fields.get('name');
      if (isGone && name !== undefined) {
        await this.#client.xgroup('DELCONSUMER', keys.intake.stream, keys.intake.group, name);
      }
    }
  }

  /** Entries that nobody ended for `idleMs`; they are this reader's from now on. */
  async claim(of: { readonly idleMs: number; readonly count: number }): Promise<StreamEntry[]> {
    const found: StreamEntry[] = [];
    let cursor = '0-0';
    do {
      const answer: unknown = await this.#withGroup(() =>
        this.#client.xautoclaim(
          keys.intake.stream,
          keys.intake.group,
          this.#consumer,
          of.idleMs,
          cursor,
          'COUNT',
          of.count,
        ),
      );
      const [next, rows] = Array.isArray(answer) ? answer : ['0-0', []];
      cursor = String(next);
      found.push(...entriesOf(rows, true));
    } while (cursor !== '0-0' && found.length < of.count);
    return found;
  }

  /** Says that these are still in hand, so that no other reader claims them. */
  async keep(ids: readonly string[]): Promise<void> {
    for (const some of slices(ids, 1_000)) {
      await this.#client.xclaim(
        keys.intake.stream,
        keys.intake.group,
        this.#consumer,
        0,
        ...some,
        'JUSTID',
      );
    }
  }

  /** Ends an entry; a second time changes nothing. Answers whether this call did it. */
  async end(entry: StreamEntry, end: EntryEnd): Promise<boolean> {
    const { intake } = keys;
    // Before the entry is gone: noting it twice changes nothing.
    if (end.heard !== undefined) await this.#watchdogs.heard(end.heard, end.receivedAtMs);
    const answer = await ack(
      this.#client,
      [
        intake.stream,
        intake.fates,
        intake.record(entry.deliveryId),
        intake.records,
        intake.quarantine,
        intake.bytes,
      ],
      [
        intake.group,
        entry.id,
        entry.source,
        end.record === null ? '' : JSON.stringify(end.record),
        entry.deliveryId,
        end.receivedAtMs,
        limits.deliveryRecordMs,
        limits.deliveryRecordsMax,
        intake.record(''),
        end.quarantined === null ? '' : JSON.stringify(end.quarantined),
        limits.quarantineMax,
        end.fates.length - 1,
        ...end.fates.map(fateField),
      ],
    );
    return Number(answer) === 1;
  }

  /**
   * What is known of each, by position; null if this Redis does not say since when it has seen
   * everything. `startsAt` is 20 digits of nanoseconds, '' for what does not fire. Asked again
   * about the same entry it answers the same.
   */
  async evidence(
    of: readonly {
      readonly id: string;
      readonly fingerprint: string;
      readonly startsAt: string;
    }[],
  ): Promise<EntryEvidence[] | null> {
    const { intake } = keys;
    const answer = await evidence(
      this.#client,
      [intake.since],
      [
        ...[intake.tombstone(''), intake.doubt(''), limits.tombstoneMs],
        ...of.flatMap(({ id, fingerprint, startsAt }) => [fingerprint, startsAt, id]),
      ],
    );
    if (!Array.isArray(answer)) return null;
    return answer.map((row: [string, number]) => ({
      tombstone: row[0] === '' ? null : row[0],
      isDoubtful: row[1] === 1,
    }));
  }

  /** Says since when this Redis has seen everything, 20 digits of nanoseconds; what it says already stays. */
  async seenSince(instant: string): Promise<void> {
    await this.#client.setnx(keys.intake.since, instant);
  }

  async #withGroup<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, 'NOGROUP')) throw error;
      await this.#beforeGroup();
      await this.#createGroup();
      return work();
    }
  }

  async #createGroup(): Promise<void> {
    try {
      await this.#client.xgroup('CREATE', keys.intake.stream, keys.intake.group, '0', 'MKSTREAM');
    } catch (error) {
      if (!hasCode(error, 'BUSYGROUP')) throw error; // Another dispatcher was faster.
    }
  }
}

/** Redis puts its error code first in the text; there is no other place to read it from. */
const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && error.message.startsWith(code);

/** Reasons of quarantined entries are free text, so they are no part of a counter's name. */
const fateField = (fate: Fate): string =>
  fate.kind === 'suppressed' || fate.kind === 'held' ? `${fate.kind}|${fate.reason}` : fate.kind;

const streamsOf = (answer: unknown): unknown[] =>
  Array.isArray(answer) ? answer.map((stream) => (Array.isArray(stream) ? stream[1] : [])) : [];

function entriesOf(rows: unknown, claimed: boolean): StreamEntry[] {
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) => {
    // A claimed row that was deleted meanwhile comes without fields.
    if (!Array.isArray(row) || !Array.isArray(row[1])) return [];
    const fields = fieldsOf(row[1]);
    return [
      {
        id: String(row[0]),
        source: fields.get('source') ?? '',
        deliveryId: fields.get('delivery') ?? '',
        text: fields.get('alert') ?? '',
        claimed,
      },
    ];
  });
}

function fieldsOf(flat: unknown): Map<string, string> {
  const fields = new Map<string, string>();
  if (!Array.isArray(flat)) return fields;
  for (let at = 0; at + 1 < flat.length; at += 2)
    fields.set(String(flat[at]), String(flat[at + 1]));
  return fields;
}

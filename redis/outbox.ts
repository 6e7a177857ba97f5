import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import { guarded } from './unavailable.ts';

/** A callback that is to be made. `queuedAt` is Unix milliseconds of Redis's clock. */
export type OutboxEntry = {
  readonly id: string;
  readonly taskId: string;
  readonly queuedAt: number;
};

type StreamRow = [id: string, fields: string[] | null];

const { callbacks, group, dead } = keys.outbox;
const deadMax = 10_000;

/**
 * The stream of callbacks. An entry stays with the gateway that read it until `done` or `bury`;
 * after a restart of that gateway `mine` gives it again, and `claimed` gives what others left.
 */
export class Outbox {
  readonly #redis: Redis;
  readonly #blocking: Redis;
  readonly #gatewayId: string;

  constructor(of: {
    readonly redis: Redis;
    readonly blocking: Redis;
    readonly gatewayId: string;
  }) {
    this.#redis = of.redis;
    this.#blocking = of.blocking;
    this.#gatewayId = of.gatewayId;
  }

  /** Makes the stream's group; to be called before reading and after Redis lost its data. */
  async prepare(): Promise<void> {
    try {
      await this.#redis.xgroup('CREATE', callbacks, group, '0', 'MKSTREAM');
    } catch (error) {
      // BUSYGROUP is Redis's code for "it is there already", which is what was asked for.
      if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
    }
  }

  /** New entries; waits up to `blockMs` for one. */
  fresh(of: { readonly count: number; readonly blockMs: number }): Promise<OutboxEntry[]> {
    return guarded(async () =>
      entriesOf(
        await this.#blocking.xreadgroup(
          'GROUP',
          group,
          this.#gatewayId,
          ...(['COUNT', of.count, 'BLOCK', of.blockMs, 'STREAMS', callbacks, '>'] as const),
        ),
      ),
    );
  }

  /** Entries this gateway read before and has not finished, from `after` on, oldest first. */
  mine(of: { readonly count: number; readonly after: string }): Promise<OutboxEntry[]> {
    return guarded(async () =>
      entriesOf(
        await this.#redis.xreadgroup(
          'GROUP',
          group,
          this.#gatewayId,
          ...(['COUNT', of.count, 'STREAMS', callbacks, of.after] as const),
        ),
      ),
    );
  }

  /** Takes over entries that their gateway has not touched for `idleMs`. */
  claimed(of: { readonly count: number; readonly idleMs: number }): Promise<OutboxEntry[]> {
    return guarded(async () => {
      const answer = await this.#redis.xautoclaim(
        ...([callbacks, group, this.#gatewayId, of.idleMs, '0', 'COUNT', of.count] as const),
      );
      const [, rows] = answer as [string, StreamRow[]];
      return rows.flatMap(entryOf);
    });
  }

  /** Says that an entry is still being worked on. */
  async touch(id: string): Promise<void> {
    await guarded(() =>
      this.#redis.xclaim(...([callbacks, group, this.#gatewayId, 0, id, 'JUSTID'] as const)),
    );
  }

  async done(id: string): Promise<void> {
    await guarded(() => this.#redis.multi().xack(callbacks, group, id).xdel(callbacks, id).exec());
  }

  /** Puts an entry among the dead letters, for a person to look at. */
  async bury(entry: OutboxEntry, reason: string): Promise<void> {
    const fields = ['taskId', entry.taskId, 'reason', reason];
    await guarded(() =>
      this.#redis
        .multi()
        .xadd(dead, 'MAXLEN', '~', deadMax, '*', ...fields)
        .xack(callbacks, group, entry.id)
        .xdel(callbacks, entry.id)
        .exec(),
    );
  }

  /** When the oldest unfinished callback was queued, or null if there is none. */
  oldest(): Promise<number | null> {
    return guarded(async () => {
      const [row] = await this.#redis.xrange(callbacks, '-', '+', 'COUNT', 1);
      return row === undefined ? null : queuedAtOf(row[0]);
    });
  }
}

const queuedAtOf = (id: string): number => Number(id.split('-')[0]);

function entriesOf(answer: unknown): OutboxEntry[] {
  const [stream] = (answer ?? []) as [string, StreamRow[]][];
  return (stream?.[1] ?? []).flatMap(entryOf);
}

function entryOf([id, fields]: StreamRow): OutboxEntry[] {
  // An entry that was deleted while it was pending has no fields.
  const at = fields?.indexOf('taskId') ?? -1;
  const taskId = fields?.[at + 1];
  return at < 0 || taskId === undefined ? [] : [{ id, taskId, queuedAt: queuedAtOf(id) }];
}

import type { TaskCallback } from '../contracts/task.ts';
import { egressRefusal } from '../domain/egress.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { postSigned } from '../platform/signed-post.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { type Rounds, startRounds } from './rounds.ts';
import { taskReportOf } from './task-report.ts';

type Entry = { readonly id: string; readonly taskId: string; readonly queuedAt: number };
type Task = Parameters<typeof taskReportOf>[0] & {
  readonly callbackUrl: string | null;
  readonly reference: string | null;
};

export type CallbackOutboxDeps = {
  readonly outbox: {
    prepare(): Promise<void>;
    fresh(of: { readonly count: number; readonly blockMs: number }): Promise<Entry[]>;
    mine(of: { readonly count: number; readonly after: string }): Promise<Entry[]>;
    claimed(of: { readonly count: number; readonly idleMs: number }): Promise<Entry[]>;
    touch(id: string): Promise<void>;
    done(id: string): Promise<void>;
    bury(entry: Entry, reason: string): Promise<void>;
  };
  readonly read: (taskId: string) => Promise<Task | null>;
  readonly secret: string;
  readonly callbackRetryMs: number;
  /** Asked before every try: what Redis names by then may be another address than was submitted. */
  readonly egressAllow: readonly string[];
  readonly metrics: GatewayMetrics;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

type Waiting = { readonly entry: Entry; readonly attempt: number };

const atOnce = 16;
const atOncePerReceiver = 4;
const waitingMax = 10_000;
const blockMs = 1_000;
const claimIdleMs = 90_000;
const claimEveryMs = 15_000;
const backoffFloorMs = 250;
// Below `claimIdleMs`, so that an entry that waits here is never taken over as abandoned.
const backoffCapMs = 60_000;

/**
 * Makes callbacks until the initiator has taken them (design 5.9): at least once, for
 * `callbackRetryMs`, then they are dead letters. The stream in Redis is the memory; what waits
 * here is read from it again after a restart. A receiver that is slow holds a few of the places.
 */
export class CallbackOutbox {
  readonly #deps: CallbackOutboxDeps;
  readonly #ready: Waiting[] = [];
  readonly #known = new Set<string>();
  readonly #timers = new Set<Timer>();
  /** Callbacks under way, and those that wait for a place, by receiver. */
  readonly #busy = new Map<string, number>();
  readonly #parked = new Map<string, Waiting[]>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #rounds: readonly Rounds[] = [];
  #isPrepared = false;

  constructor(deps: CallbackOutboxDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log } = this.#deps;
    const round = (name: string, ms: number, work: () => Promise<void>) =>
      startRounds({ name, ms, work, clock, log });
    this.#rounds = [
      round('callbacks', 0, () => this.#readFresh()),
      round('claims', claimEveryMs, () => this.#readClaimed()),
    ];
  }

  /** Resolves when no callback is under way; what was not answered is sent again after a restart. */
  async stop(): Promise<void> {
    this.#ending.abort();
    for (const timer of this.#timers) timer.cancel();
    await Promise.all([...this.#rounds.map((round) => round.stop()), ...this.#underWay]);
  }

  async #readFresh(): Promise<void> {
    try {
      if (!this.#isPrepared) await this.#prepare();
      if (this.#known.size >= waitingMax) return await this.#deps.clock.sleep(blockMs);
      this.#take(await this.#deps.outbox.fresh({ count: 100, blockMs }));
    } catch (error) {
      // Redis may have lost the group with its data: it is made again before the next read.
      this.#isPrepared = false;
      await this.#deps.clock.sleep(blockMs, this.#ending.signal).catch(() => undefined); // Stopped.
      throw error;
    }
  }

  /** Makes the group, and takes up what this gateway had read before it was restarted. */
  async #prepare(): Promise<void> {
    await this.#deps.outbox.prepare();
    for (let after = '0'; ; ) {
      const entries = await this.#deps.outbox.mine({ count: 1_000, after });
      this.#take(entries);
      const last = entries.at(-1);
      if (last === undefined) break;
      after = last.id;
    }
    this.#isPrepared = true;
  }

  async #readClaimed(): Promise<void> {
    if (!this.#isPrepared || this.#known.size >= waitingMax) return;
    this.#take(await this.#deps.outbox.claimed({ count: 1_000, idleMs: claimIdleMs }));
  }

  #take(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (this.#known.has(entry.id)) continue;
      this.#known.add(entry.id);
      this.#ready.push({ entry, attempt: 1 });
    }
    this.#next();
  }

  /** Starts as many as there are places for. */
  #next(): void {
    while (!this.#ending.signal.aborted && this.#underWay.size < atOnce) {
      const waiting = this.#ready.shift();
      if (waiting === undefined) return;
      const work = this.#try(waiting).finally(() => {
        this.#underWay.delete(work);
        this.#next();
      });
      this.#underWay.add(work);
    }
  }

  /** Never rejects: whatever goes wrong, the entry waits and is tried again. */
  async #try(waiting: Waiting): Promise<void> {
    const { entry } = waiting;
    try {
      // Read while it is said that this gateway has it: one round to Redis, not two.
      const [task] = await Promise.all([
        this.#deps.read(entry.taskId),
        this.#deps.outbox.touch(entry.id),
      ]);
      if (task?.callbackUrl == null || task.state !== 'finished') {
        // The task was kept for days and is gone: there is nothing left to tell.
        return await this.#finish(entry, () => this.#deps.outbox.bury(entry, 'task_gone'));
      }
      const url = URL.parse(task.callbackUrl);
      if (url === null) {
        return await this.#finish(entry, () => this.#deps.outbox.bury(entry, 'bad_address'));
      }
      await this.#deliver(waiting, task, url);
    } catch (error) {
      this.#deps.log.warn({ error, taskId: entry.taskId }, 'a callback will be tried again');
      this.#later(waiting);
    }
  }

  async #deliver(waiting: Waiting, task: Task, url: URL): Promise<void> {
    const receiver = url.host;
    const busy = this.#busy.get(receiver) ?? 0;
    if (busy >= atOncePerReceiver) {
      const parked = this.#parked.get(receiver) ?? [];
      parked.push(waiting);
      this.#parked.set(receiver, parked);
      return;
    }
    this.#busy.set(receiver, busy + 1);
    try {
      await this.#post(waiting, task, url);
    } finally {
      this.#release(receiver);
    }
  }

  /** Gives a receiver's place to the first that was parked for it. */
  #release(receiver: string): void {
    const left = (this.#busy.get(receiver) ?? 1) - 1;
    if (left === 0) this.#busy.delete(receiver);
    else this.#busy.set(receiver, left);
    const next = this.#parked.get(receiver)?.shift();
    if (next !== undefined) this.#ready.push(next);
    else this.#parked.delete(receiver);
  }

  async #post(waiting: Waiting, task: Task, url: URL): Promise<void> {
    const { entry, attempt } = waiting;
    const { outbox, metrics, clock, log, secret } = this.#deps;
    this.#deps.crash('before-callback');
    const { taskId } = entry;
    const refusal = egressRefusal(url, this.#deps.egressAllow);
    const reference = task.reference ?? '';
    const callback: TaskCallback = { type: 'task.finished', reference, report: taskReportOf(task) };
    // The message id is the task's, so that a receiver can tell a repeat.
    const answer =
      refusal === null
        ? await postSigned({
            ...{ url, id: taskId, secret, clock, signal: this.#ending.signal },
            body: JSON.stringify(callback),
          })
        : ({ kind: 'failed', why: `${refusal.value} ${refusal.fix}` } as const);
    if (this.#ending.signal.aborted && answer.kind === 'failed') return;
    metrics.callbackTried(answer.kind === 'taken' ? 'delivered' : answer.kind);
    this.#deps.crash('after-callback');
    if (answer.kind !== 'failed') return this.#finish(entry, () => outbox.done(entry.id));
    if (clock.now() - entry.queuedAt >= this.#deps.callbackRetryMs) {
      metrics.callbackTried('dead');
      log.error({ taskId, attempt, why: answer.why }, 'a callback was given up');
      return this.#finish(entry, () => outbox.bury(entry, answer.why));
    }
    log.info({ taskId, attempt, why: answer.why }, 'a callback will be tried again');
    this.#later(waiting);
  }

  async #finish(entry: Entry, work: () => Promise<void>): Promise<void> {
    await work();
    this.#deps.crash('after-done');
    this.#known.delete(entry.id);
  }

  /** Doubling from a quarter of a second to a minute, half of it random. */
  #later({ entry, attempt }: Waiting): void {
    if (this.#ending.signal.aborted) return;
    const { clock } = this.#deps;
    const full = Math.min(backoffFloorMs * 2 ** Math.min(attempt, 20), backoffCapMs);
    const timer = clock.after(full / 2 + (clock.random() * full) / 2, () => {
      this.#timers.delete(timer);
      this.#ready.push({ entry, attempt: attempt + 1 });
      this.#next();
    });
    this.#timers.add(timer);
  }
}

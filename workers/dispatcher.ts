import type { Client } from '@temporalio/client';
import type { Clocks } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import { type CrashPoints, noCrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type {
  EntryEnd,
  EntryEvidence,
  IntakeEntries,
  StreamEntry,
} from '../redis/intake-entries.ts';
import type { MassSense } from '../redis/mass-sense.ts';
import { AlertFile } from './alert-file.ts';
import { type Backoff, growingBackoff } from './backoff.ts';
import { EntryHandler } from './entry-handler.ts';
import { EntryJudge, type Judged } from './entry-judge.ts';
import type { FleetView } from './fleet-view.ts';
import { IntakeLoss } from './intake-loss.ts';
import { MailboxLanes } from './mailbox-lanes.ts';
import { temporalMailboxes } from './mailbox-signals.ts';
import { MailboxStarts } from './mailbox-starts.ts';
import type { PolicyStore } from './policy-store.ts';
import { remediationStarter } from './remediation-starter.ts';
import { StormTeller } from './storm-teller.ts';
import { questionOf } from './stream-alert.ts';

export type DispatcherDeps = {
  readonly entries: IntakeEntries;
  readonly sense: MassSense;
  readonly fleet: FleetView;
  readonly client: Client;
  readonly policies: PolicyStore;
  /** Folder of the daily files of normalised alerts. */
  readonly alertDirectory: string;
  readonly clocks: Clocks;
  readonly callbackUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly crash: CrashPoints<'dispatcher'>;
};

const readCount = 500;
const readBlockMs = 1_000;
/** Entries in hand at once; beyond it they stay in the stream, where they are as safe. */
const inHandMax = 2_000;

/**
 * Starts moving entries from the intake stream to mailboxes; answers how to stop. Any number of
 * dispatchers may run. An entry leaves the stream only when every mailbox that takes it has it;
 * Redis or Temporal being away is waited out (rule R8).
 */
export function startDispatcher(deps: DispatcherDeps): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const backoff = growingBackoff(deps.clock);
  const stopped = stopping.signal;
  const leave = (policy: string) => deps.sense.startLeave(policy);
  const starts = new MailboxStarts({ leave, clock: deps.clock, stopped });
  const signals = temporalMailboxes(deps);
  const lanes = new MailboxLanes({ ...deps, signals, starts, backoff, stopped });
  const { start } = remediationStarter({ client: deps.client, crashPoints: noCrashPoints });
  const storms = new StormTeller({ ...deps, start, backoff, stopped });
  const alertFile = new AlertFile({ ...deps, directory: deps.alertDirectory });
  const handler = new EntryHandler({ ...deps, lanes, storms, alertFile });
  const judge = new EntryJudge(deps);
  const dispatcher = new Dispatcher({ deps, judge, handler, backoff, stopped });
  const running = dispatcher.run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #judge: EntryJudge;
  readonly #handler: EntryHandler;
  readonly #backoff: Backoff;
  readonly #stopped: AbortSignal;
  readonly #inHand = new Map<string, Promise<void>>();
  readonly #loss: IntakeLoss;
  /** A read failed: Redis may have given us entries in an answer that never came. */
  #mayMissAnswers = false;
  readonly #delay;
  readonly #failures;

  constructor(of: {
    readonly deps: DispatcherDeps;
    readonly judge: EntryJudge;
    readonly handler: EntryHandler;
    readonly backoff: Backoff;
    readonly stopped: AbortSignal;
  }) {
    this.#deps = of.deps;
    this.#judge = of.judge;
    this.#handler = of.handler;
    this.#backoff = of.backoff;
    this.#stopped = of.stopped;
    const { metrics, entries, client, clock } = of.deps;
    this.#loss = new IntakeLoss({
      ...{ client, clock },
      seenSince: (instant) => entries.seenSince(instant),
    });
    // At once, not with the next alert: one that begins after the loss need not wait for a repeat.
    entries.beforeGroup(() => this.#loss.settle());
    this.#delay = metrics.histogram(
      'fixpoint_dispatch_delay_seconds',
      'From taking an alert in to its fate.',
    );
    this.#failures = metrics.counter(
      'fixpoint_dispatch_failures_total',
      'Calls of the dispatcher to Redis that failed and were made again.',
    );
  }

  async run(): Promise<void> {
    // Before anything comes in: the first alert of a first start is no doubtful one.
    await this.#insist(() => this.#loss.settle()).catch(() => undefined); // Stopped before Redis and Temporal answered.
    await Promise.all([
      this.#repeat(() => this.#readOnce()),
      this.#repeat(() => this.#claimOnce()),
    ]);
    await Promise.all(this.#inHand.values());
  }

  /** Does `work` again and again until stopped; a failure is waited out, never fatal. */
  async #repeat(work: () => Promise<void>): Promise<void> {
    for (let failures = 0; !this.#stopped.aborted; ) {
      try {
        await work();
        if (failures > 0) this.#deps.log.info({ failures }, 'the intake is reached again');
        failures = 0;
      } catch (error) {
        if (failures === 0) this.#deps.log.warn({ error }, 'the intake is not reached');
        this.#mayMissAnswers = true;
        this.#failures.inc();
        await this.#backoff(failures, this.#stopped);
        failures += 1;
      }
    }
  }

  async #readOnce(): Promise<void> {
    if (this.#inHand.size >= inHandMax) {
      await Promise.race(this.#inHand.values());
      return;
    }
    if (this.#mayMissAnswers) {
      await this.#take(await this.#deps.entries.given());
      this.#mayMissAnswers = false;
    }
    const count = Math.min(readCount, inHandMax - this.#inHand.size);
    await this.#take(await this.#deps.entries.read({ count, blockMs: readBlockMs }));
  }

  async #claimOnce(): Promise<void> {
    const idleMs = this.#deps.clocks.intakeClaimMs;
    // Our own first: waiting for Temporal is no reason to lose an entry to another dispatcher.
    await this.#deps.entries.keep([...this.#inHand.keys()]);
    if (this.#inHand.size < inHandMax) {
      await this.#take(await this.#deps.entries.claim({ idleMs, count: readCount }));
    }
    await this.#deps.entries.forgetReaders();
    await this.#deps.clock.sleep(idleMs / 3, this.#stopped).catch(() => undefined); // Stopped.
  }

  async #take(found: readonly StreamEntry[]): Promise<void> {
    const entries = found.filter(({ id }) => !this.#inHand.has(id));
    if (entries.length === 0) return;
    this.#deps.crash('after-read');
    const evidence = await this.#insist(() => this.#evidence(entries));
    const judged = await this.#insist(() => this.#judge.judge(entries, evidence));
    for (const one of judged) {
      const { id } = one.entry;
      const work = this.#dispatch(one).finally(() => this.#inHand.delete(id));
      this.#inHand.set(id, work);
    }
  }

  async #evidence(entries: readonly StreamEntry[]): Promise<readonly EntryEvidence[]> {
    const questions = entries.map(questionOf);
    const known = await this.#deps.entries.evidence(questions);
    if (known !== null) return known;
    await this.#loss.settle();
    this.#deps.log.warn({}, 'Redis has lost what the intake knew; older firings wait for a repeat');
    return (await this.#deps.entries.evidence(questions)) ?? [];
  }

  /** Read entries are ours: a Redis that fails now must not leave them to wait for a claim. */
  async #insist<T>(work: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await work();
      } catch (error) {
        if (this.#stopped.aborted) throw error;
        this.#failures.inc();
        await this.#backoff(failures, this.#stopped);
      }
    }
  }

  /** Never rejects. An entry that could not be ended before the stop is read again by another. */
  async #dispatch(judged: Judged): Promise<void> {
    const { entry } = judged;
    try {
      const end = await this.#handler.handle(judged);
      this.#deps.crash('before-ack');
      await this.#end(entry, end);
      this.#deps.crash('after-ack');
    } catch (error) {
      this.#deps.log.warn({ error, entry: entry.id }, 'an entry stays in the intake');
    }
  }

  async #end(entry: StreamEntry, end: EntryEnd): Promise<void> {
    await this.#insist(() => this.#deps.entries.end(entry, end));
    this.#delay.observe(Math.max(0, this.#deps.clock.now() - end.receivedAtMs) / 1_000);
    if (end.quarantined !== null) {
      const { field, reason } = end.quarantined;
      this.#deps.log.warn({ entry: entry.id, field, reason }, 'an entry was quarantined');
    }
  }
}

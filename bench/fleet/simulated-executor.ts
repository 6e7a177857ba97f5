import { crc32 } from 'node:zlib';
import type { Executor, ExecutorEvents, RunOrder } from '../../agent/executor.ts';
import type { SignedJob } from '../../agent/job-folder.ts';
import type { Journal } from '../../agent/job-journal.ts';
import { outcomeOf } from '../../agent/job-outcome.ts';
import type { Intent, StopReason } from '../../agent/journal-record.ts';
import type { UserChoice } from '../../agent/run-as.ts';
import type { JobReport } from '../../contracts/task.ts';
import { plainReport } from '../../domain/job.ts';
import type { Clock, Timer } from '../../platform/clock.ts';

/** What simulated jobs do. Of one seed every job does the same in every run. */
export type Behaviour = {
  readonly seed: number;
  /** Milliseconds from start to end; 0 ends a job at once. */
  readonly durationMs: number;
  /** Share of jobs, 0 to 1, that end with `exitCode`; all others end with 0. */
  readonly failureRate: number;
  readonly exitCode: number;
};

/** Counts starts of all agents of a process, whichever executor makes them. */
export type StartCounter = { started(jobId: string): void };

export type SimulatedExecutorDeps = ExecutorEvents & {
  readonly journal: Journal;
  readonly behaviour: Behaviour;
  readonly counter: StartCounter;
  /** Takes what each job was signed with, which others keep in the job's folder (rule R6). */
  readonly signed: Map<string, SignedJob>;
  readonly clock: Clock;
};

type Running = { readonly intent: Intent; readonly startedAt: number; readonly timer: Timer };

const nothingWritten = { stdout: 0, stderr: 0 };

/**
 * Jobs without processes: started, ended, stopped and timed out by the clock, journalled as real
 * ones are. What stands before it, from the link to the journal, is the agent itself.
 */
export class SimulatedExecutor implements Executor {
  readonly #deps: SimulatedExecutorDeps;
  readonly #running = new Map<string, Running>();
  #lastPid = 0;

  constructor(deps: SimulatedExecutorDeps) {
    this.#deps = deps;
  }

  /** Nothing is run, so it is run as nobody else. */
  async chooseUser(): Promise<UserChoice> {
    return { kind: 'own' };
  }

  async start({ jobId, intent, signed, refusal, onStarted }: RunOrder): Promise<void> {
    this.#deps.signed.set(jobId, signed);
    const { clock, counter, journal, behaviour } = this.#deps;
    const refused = refusal();
    if (refused !== null) return this.#end(jobId, refused);
    counter.started(jobId);
    const startedAt = clock.now();
    this.#lastPid += 1;
    journal.write({
      kind: 'started',
      jobId,
      pid: this.#lastPid,
      startTime: 'simulated',
      startedAt,
    });
    const isTooLong = behaviour.durationMs > intent.timeoutMs;
    const timer = clock.after(Math.min(behaviour.durationMs, intent.timeoutMs), () => {
      if (isTooLong) this.stop(jobId, 'timeout');
      else void this.#finish(jobId, exitStatusOf(jobId, behaviour));
    });
    this.#running.set(jobId, { intent, startedAt, timer });
    onStarted();
    if (behaviour.durationMs === 0) await this.#finish(jobId, exitStatusOf(jobId, behaviour));
  }

  stop(jobId: string, reason: StopReason): void {
    if (!this.#running.has(jobId)) return;
    // Journalled before the end: that order decides the outcome (rule R9).
    void this.#deps.journal.record({ kind: 'stop_requested', jobId, reason });
    void this.#finish(jobId, 128 + 15);
  }

  running(): readonly Intent[] {
    return [...this.#running.values()].map(({ intent }) => intent);
  }

  isSlotAlive(slot: string): boolean {
    return this.running().some((intent) => intent.slot === slot);
  }

  visible(jobId: string): typeof nothingWritten | null {
    return this.#running.has(jobId) ? nothingWritten : null;
  }

  /** Nothing to do: what an earlier process simulated ended with it, and so did its journal. */
  async recover(): Promise<void> {}

  tidy(): void {}

  close(): void {
    for (const { timer } of this.#running.values()) timer.cancel();
    this.#running.clear();
  }

  async #finish(jobId: string, status: number): Promise<void> {
    const running = this.#running.get(jobId);
    if (running === undefined) return;
    this.#running.delete(jobId);
    running.timer.cancel();
    const report = outcomeOf({
      stop: this.#deps.journal.entry(jobId)?.stop,
      ending: { kind: 'exit', status, at: this.#deps.clock.now() },
      startedAt: running.startedAt,
      sizes: nothingWritten,
      isCut: false,
      notes: [],
    });
    await this.#end(jobId, report);
  }

  async #end(jobId: string, report: JobReport): Promise<void> {
    await this.#deps.journal.record({ kind: 'finished', jobId, report });
    this.#deps.onFinished(jobId);
  }
}

const crcRange = 2 ** 32;

/** How a job ends, by its id and the seed alone. */
export function exitStatusOf(jobId: string, { seed, failureRate, exitCode }: Behaviour): number {
  return crc32(`${seed}/${jobId}`) / crcRange < failureRate ? exitCode : 0;
}

/** The report of a job that a link-only agent answers with, without having run anything. */
export function instantReport(jobId: string, of: { behaviour: Behaviour; now: number }): JobReport {
  const status = exitStatusOf(jobId, of.behaviour);
  return {
    ...plainReport(status === 0 ? 'succeeded' : 'failed', status === 0 ? null : 'exit_code'),
    exitCode: status,
    startedAt: of.now,
    finishedAt: of.now,
  };
}

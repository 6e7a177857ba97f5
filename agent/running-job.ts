import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { JobFolder, OutputSizes } from './job-folder.ts';
import type { JobJournal } from './job-journal.ts';
import { type Ending, outcomeOf } from './job-outcome.ts';
import type { Intent, Started, StopReason } from './journal-record.ts';
import { sealOutput } from './output-seal.ts';
import type { ProcessTable } from './process-table.ts';

export type RunningJobDeps = {
  readonly journal: JobJournal;
  readonly processes: ProcessTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly killGraceMs: number;
  /** More of the output may be read. */
  readonly onOutput: (jobId: string) => void;
  /** The outcome is journalled. */
  readonly onFinished: (jobId: string) => void;
};

const lookMs = 100;
const stopLookMs = 25;
/** After KILL only the kernel can keep a process: one that hangs in a device, say. */
const killWaitMs = 5_000;
/** A script that left a child with its output open is not waited for longer. */
const outputEndMs = 500;

/**
 * One started script, from its start or from a restart of the agent until its outcome is journalled.
 * Enforces time and output limits on the whole process group (invariant 11); a cancel, a timeout and
 * an overflow leave nothing of the group alive.
 */
export class RunningJob {
  readonly intent: Intent;
  readonly #deps: RunningJobDeps;
  readonly #folder: JobFolder;
  readonly #started: Started;
  readonly #isChild: boolean;
  #look: Timer | undefined;
  #timeout: Timer | undefined;
  #visible: OutputSizes = { stdout: 0, stderr: 0 };
  #isEnding = false;
  #isClosed = false;

  constructor(
    deps: RunningJobDeps,
    of: {
      readonly intent: Intent;
      readonly started: Started;
      readonly folder: JobFolder;
      /** Whether this process started it, and so will be told of its end by `look(signal)`. */
      readonly isChild: boolean;
    },
  ) {
    this.#deps = deps;
    this.intent = of.intent;
    this.#started = of.started;
    this.#folder = of.folder;
    this.#isChild = of.isChild;
    const ageMs = deps.processes.ageMs(of.started.startTime);
    // From the start of the process: a restart of the agent does not lengthen the time limit.
    const leftMs = Math.max(0, of.intent.timeoutMs - ageMs);
    this.#timeout = deps.clock.after(leftMs, () => this.stop('timeout'));
    this.#lookAgain();
  }

  /** Output that counts so far: both streams together are within the job's limit. */
  get visible(): OutputSizes {
    return this.#visible;
  }

  /** Ends the script. The first word counts; one that comes after the end changes nothing (rule R9). */
  stop(reason: StopReason): void {
    if (this.#isEnding || this.#isClosed) return;
    if (this.#folder.exit() !== null) {
      this.look();
      return;
    }
    this.#isEnding = true;
    this.#write({ kind: 'stop_requested', jobId: this.intent.jobId, reason });
    void this.#terminate().catch((error: unknown) => this.#fail(error));
  }

  /** Goes on with a stop that an earlier agent on this state folder had begun. */
  resumeStop(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    void this.#terminate().catch((error: unknown) => this.#fail(error));
  }

  /** Looks now whether the script ended; `signal` is what killed the helper, if that is known. */
  look(signal?: { readonly name: string | null }): void {
    if (this.#isEnding || this.#isClosed) return;
    const ending = this.#ending(signal);
    if (ending !== null) {
      this.#isEnding = true;
      void this.#finishWhole(ending).catch((error: unknown) => this.#fail(error));
      return;
    }
    const sizes = this.#folder.sizes();
    if (sizes.stdout + sizes.stderr > this.intent.outputBytes) {
      this.stop('overflow');
      return;
    }
    const isMore = sizes.stdout > this.#visible.stdout || sizes.stderr > this.#visible.stderr;
    this.#visible = sizes;
    if (isMore) this.#deps.onOutput(this.intent.jobId);
    this.#lookAgain();
  }

  /** Stops looking and lets the script run on; an agent that starts later attaches to it again. */
  close(): void {
    this.#isClosed = true;
    this.#look?.cancel();
    this.#timeout?.cancel();
  }

  #lookAgain(): void {
    this.#look?.cancel();
    this.#look = this.#deps.clock.after(lookMs, () => this.look());
  }

  #ending(signal: { readonly name: string | null } | undefined): Ending | null {
    const at = this.#deps.clock.now();
    const exit = this.#folder.exit();
    if (exit !== null) return { kind: 'exit', ...exit };
    const { pid, startTime } = this.#started;
    if (this.#deps.processes.startTimeOf(pid) === startTime) return null;
    // The helper may have written the status between the two looks.
    const late = this.#folder.exit();
    if (late !== null) return { kind: 'exit', ...late };
    // Of our own child we are told, and by what signal; the look may come before that.
    if (this.#isChild && signal === undefined) return null;
    return signal === undefined
      ? { kind: 'lost', reason: 'agent_restarted', at }
      : { kind: 'killed', signal: signal.name, at };
  }

  async #terminate(): Promise<void> {
    const { pid } = this.#started;
    this.#deps.processes.signalGroup(pid, 'SIGTERM');
    const isGone = await this.#isGroupGone(this.#deps.killGraceMs);
    if (this.#isClosed) return;
    if (!isGone) {
      this.#deps.processes.signalGroup(pid, 'SIGKILL');
      if (!(await this.#isGroupGone(killWaitMs))) {
        this.#deps.log.error(
          { jobId: this.intent.jobId, pid },
          'the kernel keeps a killed process',
        );
      }
    }
    if (this.#isClosed) return;
    const exit = this.#folder.exit();
    await this.#finish(
      exit === null
        ? { kind: 'killed', signal: null, at: this.#deps.clock.now() }
        : { kind: 'exit', ...exit },
    );
  }

  async #isGroupGone(withinMs: number): Promise<boolean> {
    const until = this.#deps.clock.monotonic() + withinMs;
    while (this.#deps.processes.isGroupAlive(this.#started.pid)) {
      if (this.#isClosed || this.#deps.clock.monotonic() > until) return false;
      await this.#deps.clock.sleep(stopLookMs);
    }
    return true;
  }

  async #finishWhole(ending: Ending): Promise<void> {
    const until = this.#deps.clock.monotonic() + outputEndMs;
    while (!this.#folder.isOutputWhole() && this.#deps.clock.monotonic() < until) {
      await this.#deps.clock.sleep(5);
    }
    const sizes = this.#folder.sizes();
    if (sizes.stdout + sizes.stderr > this.intent.outputBytes) {
      // It wrote too much and ended before anyone looked: nothing is left to kill, the outcome stands.
      this.#write({ kind: 'stop_requested', jobId: this.intent.jobId, reason: 'overflow' });
    }
    await this.#finish(ending);
  }

  async #finish(ending: Ending): Promise<void> {
    if (this.#isClosed) return;
    this.close();
    const { jobId, outputBytes } = this.intent;
    const sealed = sealOutput(this.#folder, { outputBytes, sent: this.#visible });
    if (sealed.error !== null) {
      this.#deps.log.error({ error: sealed.error, jobId }, 'the output cannot be kept');
    }
    const report = outcomeOf({
      stop: this.#deps.journal.entry(jobId)?.stop,
      ending,
      startedAt: this.#started.startedAt,
      sizes: sealed.sizes,
      note: sealed.note,
    });
    await this.#deps.journal.record({ kind: 'finished', jobId, report });
    this.#deps.log.info({ jobId, state: report.state, reason: report.reason }, 'a job ended');
    this.#deps.onFinished(jobId);
  }

  #write(body: Parameters<JobJournal['write']>[0]): void {
    // A full disk must not keep a script from being stopped.
    void this.#deps.journal.record(body);
  }

  #fail(error: unknown): void {
    this.#deps.log.error(
      { error, jobId: this.intent.jobId },
      'a job could not be brought to its end',
    );
  }
}

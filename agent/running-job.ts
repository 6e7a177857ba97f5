import type { Clock, Timer } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { JobFolder, OutputSizes } from './job-folder.ts';
import type { Journal } from './job-journal.ts';
import { awaitsReboot, type Ending, endedNote, outcomeOf } from './job-outcome.ts';
import { type Ended, JobProcesses } from './job-processes.ts';
import type { Intent, Started, StopReason } from './journal-record.ts';
import { sealOutput } from './output-seal.ts';
import type { ProcessTable } from './process-table.ts';

export type RunningJobDeps = {
  readonly journal: Journal;
  readonly processes: ProcessTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly crashAt: CrashPoints<'agent'>;
  readonly killGraceMs: number;
  readonly killWaitMs: number;
  /** More of the output may be read. */
  readonly onOutput: (jobId: string) => void;
  /** The outcome is journalled. */
  readonly onFinished: (jobId: string) => void;
};

/** A child process's exit code or what killed it. */
export type HelperEnd = { readonly code: number | null; readonly signal: string | null };

const lookMs = 100;
/** A script that left a child with its output open is not waited for longer. */
const outputEndMs = 500;
/** The helper's status if it did not come to run the script. */
const nothingRun = 125;

/**
 * One started script, from its start or from a restart of the agent until its outcome is journalled.
 * Enforces time and output limits on all its processes (invariant 11): a cancel, a timeout and an
 * overflow leave nothing of it alive, also of what left its process group.
 */
export class RunningJob {
  readonly intent: Intent;
  readonly #deps: RunningJobDeps;
  readonly #folder: JobFolder;
  readonly #started: Started;
  readonly #processes: JobProcesses;
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
      /** Whether this process started it, and so will be told of its end by `look(told)`. */
      readonly isChild: boolean;
    },
  ) {
    this.#deps = deps;
    this.intent = of.intent;
    this.#started = of.started;
    this.#folder = of.folder;
    this.#isChild = of.isChild;
    const cgroup = of.started.cgroup ?? null;
    this.#processes = new JobProcesses(deps, { ...of.started, cgroup });
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
    const exit = this.#folder.exit();
    if (exit !== null && !awaitsReboot(this.intent, exit.status)) {
      this.look();
      return;
    }
    this.#isEnding = true;
    this.#deps.crashAt('before-stop');
    this.#write({ kind: 'stop_requested', jobId: this.intent.jobId, reason });
    this.#deps.crashAt('after-stop');
    void this.#terminate().catch((error: unknown) => this.#fail(error));
  }

  /** Goes on with a stop that an earlier agent on this state folder had begun. */
  resumeStop(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    void this.#terminate().catch((error: unknown) => this.#fail(error));
  }

  /** Looks now whether the script ended; `told` is how the helper did, if that is known. */
  look(told?: HelperEnd): void {
    if (this.#isEnding || this.#isClosed) return;
    const ending = this.#ending(told);
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

  #ending(told: HelperEnd | undefined): Ending | null {
    const at = this.#deps.clock.now();
    const exit = this.#folder.exit();
    // The reboot itself is told by the next agent; until then only the time limit ends the job.
    if (exit !== null && awaitsReboot(this.intent, exit.status)) return null;
    if (exit !== null) return { kind: 'exit', ...exit };
    if (told !== undefined) {
      const ending = endingToldBy(told, { at, hasOutput: this.#folder.hasOutput() });
      return this.#mayBeReboot(ending) ? null : ending;
    }
    // Of our own child we are told; this look may come before that.
    if (this.#isChild) return null;
    if (this.#processes.isAlive()) return null;
    // The helper may have written the status between the two looks.
    const late = this.#folder.exit();
    return late === null
      ? { kind: 'lost', reason: 'agent_restarted', at }
      : { kind: 'exit', ...late };
  }

  /** A host that shuts down may also kill the helper, or keep it from writing. */
  #mayBeReboot(ending: Ending): boolean {
    if (ending.kind === 'killed') return this.intent.expectReboot === true;
    return ending.kind === 'exit' && awaitsReboot(this.intent, ending.status);
  }

  async #terminate(): Promise<void> {
    if (this.intent.expectReboot === true && !this.#processes.isAlive()) {
      return this.#finish({ kind: 'killed', signal: null, at: this.#deps.clock.now() }, null);
    }
    const ended = await this.#processes.end(this.#deps.killGraceMs, () => this.#isClosed);
    if (this.#isClosed) return;
    this.#tellSurvivors(ended);
    const exit = this.#folder.exit();
    await this.#finish(
      exit === null
        ? { kind: 'killed', signal: null, at: this.#deps.clock.now() }
        : { kind: 'exit', ...exit },
      ended,
    );
  }

  #tellSurvivors({ left }: Ended): void {
    if (left === 0) return;
    const { jobId } = this.intent;
    this.#deps.log.error({ jobId, left }, 'processes of a killed job live on');
  }

  async #finishWhole(ending: Ending): Promise<void> {
    let ended: Ended | null = null;
    if (ending.kind === 'killed') {
      // Without its helper the script's end could never be told: it ends here.
      ended = await this.#processes.kill(() => this.#isClosed);
      this.#tellSurvivors(ended);
    }
    const until = this.#deps.clock.monotonic() + outputEndMs;
    while (!this.#folder.isOutputWhole() && this.#deps.clock.monotonic() < until) {
      await this.#deps.clock.sleep(5);
    }
    const sizes = this.#folder.sizes();
    if (sizes.stdout + sizes.stderr > this.intent.outputBytes) {
      // It wrote too much and ended before anyone looked: nothing is left to kill, the outcome stands.
      this.#write({ kind: 'stop_requested', jobId: this.intent.jobId, reason: 'overflow' });
    }
    await this.#finish(ending, ended);
  }

  async #finish(ending: Ending, ended: Ended | null): Promise<void> {
    if (this.#isClosed) return;
    this.close();
    this.#processes.release();
    const { jobId, outputBytes } = this.intent;
    const sealed = sealOutput(this.#folder, { outputBytes, sent: this.#visible });
    if (sealed.error !== null) {
      this.#deps.log.error({ error: sealed.error, jobId }, 'the output cannot be kept');
    }
    const stop = this.#deps.journal.entry(jobId)?.stop;
    const isUnrebooted = this.intent.expectReboot === true && stop === 'timeout';
    const report = outcomeOf({
      stop,
      ending,
      startedAt: this.#started.startedAt,
      sizes: sealed.sizes,
      isCut: sealed.isCut,
      notes: [
        isUnrebooted ? 'the host did not reboot in time' : null,
        endedNote(ended),
        sealed.note,
      ],
    });
    this.#deps.crashAt('before-finished');
    await this.#deps.journal.record({ kind: 'finished', jobId, report });
    this.#deps.crashAt('after-finished');
    this.#deps.log.info({ jobId, state: report.state, reason: report.reason }, 'a job ended');
    this.#deps.onFinished(jobId);
  }

  #write(body: Parameters<Journal['write']>[0]): void {
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

function endingToldBy(
  told: HelperEnd,
  of: { readonly at: number; readonly hasOutput: boolean },
): Ending {
  const { at, hasOutput } = of;
  if (told.code === null) return { kind: 'killed', signal: told.signal, at };
  if (told.code === nothingRun && !hasOutput) return { kind: 'not_started', at };
  // The file could not be written, on a full disk say; the helper ends with the script's own status.
  return { kind: 'exit', status: told.code, at };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Job, JobReport } from '../contracts/task.ts';
import { plainReport } from '../domain/job.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { environmentOf, findProgram, type Secrets, systemPath } from './job-environment.ts';
import type { JobFolder, OutputSizes, SignedJob } from './job-folder.ts';
import type { JournalEntry } from './job-journal.ts';
import { type Ending, outcomeOf } from './job-outcome.ts';
import type { Intent, Started, StopReason } from './journal-record.ts';
import { sealOutput } from './output-seal.ts';
import { RunningJob, type RunningJobDeps } from './running-job.ts';
import { secretPieces } from './secret-mask.ts';
import type { StateDirectory } from './state-directory.ts';

/** One job whose intent is on disk. */
export type RunOrder = {
  readonly jobId: string;
  readonly job: Job;
  readonly intent: Intent;
  /** The job as it came, for a gateway that has lost it (rule R6). */
  readonly signed: SignedJob;
  readonly content: string;
  readonly secrets: Secrets;
  /** Asked at the last moment before the script exists: why it must not start, or null. */
  readonly refusal: () => JobReport | null;
  /** The script runs. Not called if it never did. */
  readonly onStarted: () => void;
};

/** Starts and stops what jobs mean on this host. Outcomes go to the journal and then to `onFinished`. */
export type Executor = {
  /** Never rejects; may be called once per job. Resolves when the job runs or its end is journalled. */
  start(order: RunOrder): Promise<void>;
  /** Ends a job that runs; of any other it does nothing. */
  stop(jobId: string, reason: StopReason): void;
  /** Jobs that run, with their slots. */
  running(): readonly Intent[];
  /** Whether an attempt of the slot runs, or what is left of one (rule X4). */
  isSlotAlive(slot: string): boolean;
  /** Output of a running job that may be read by now, or null if it does not run. */
  visible(jobId: string): OutputSizes | null;
  /** Brings every job that an earlier agent left open to an outcome, or attaches to it (rule R11). */
  recover(): Promise<void>;
  /** Lets scripts run on without this agent. */
  close(): void;
};

/** How an executor tells what becomes of jobs. */
export type ExecutorEvents = Pick<RunningJobDeps, 'onOutput' | 'onFinished'>;

export type ExecutorDeps = RunningJobDeps & {
  readonly state: StateDirectory;
  readonly jobEnvironment: Readonly<Record<string, string>>;
  readonly crashAt: CrashPoints<'agent'>;
};

const helper = fileURLToPath(new URL('spawn-helper.sh', import.meta.url));
const blockBytes = 512;

/** Runs scripts as processes of this host, each in a session of its own that outlives the agent. */
export class ProcessExecutor implements Executor {
  readonly #deps: ExecutorDeps;
  readonly #jobs = new Map<string, RunningJob>();

  constructor(deps: ExecutorDeps) {
    this.#deps = deps;
  }

  async start(order: RunOrder): Promise<void> {
    try {
      await this.#start(order);
    } catch (error) {
      this.#deps.log.warn({ error, jobId: order.jobId }, 'a script could not be started');
      const report = isDiskFull(error)
        ? plainReport('refused', 'disk_full')
        : notStarted(error instanceof Error && 'code' in error ? String(error.code) : null);
      await this.#end(order.jobId, report);
    }
  }

  stop(jobId: string, reason: StopReason): void {
    this.#jobs.get(jobId)?.stop(reason);
  }

  running(): readonly Intent[] {
    return [...this.#jobs.values()].map((job) => job.intent);
  }

  isSlotAlive(slot: string): boolean {
    return this.running().some((intent) => intent.slot === slot);
  }

  visible(jobId: string): OutputSizes | null {
    return this.#jobs.get(jobId)?.visible ?? null;
  }

  async recover(): Promise<void> {
    await this.#adoptFolders();
    const open = [...this.#deps.journal.entries()].filter((entry) => entry.report === undefined);
    for (const entry of open) await this.#recoverOne(entry);
  }

  close(): void {
    for (const job of this.#jobs.values()) job.close();
    this.#jobs.clear();
  }

  async #start(order: RunOrder): Promise<void> {
    const { jobId, job, intent } = order;
    const environment = environmentOf({
      job,
      jobId,
      hostOwned: this.#deps.jobEnvironment,
      secrets: order.secrets,
    });
    const path = environment['PATH'] ?? systemPath;
    const interpreter = findProgram(job.interpreter, path);
    if (interpreter === null) {
      return this.#end(jobId, notStarted(`${job.interpreter} is not on the PATH of jobs`));
    }
    const folder = this.#deps.state.jobFolder(jobId);
    folder.prepare({
      intent,
      signed: order.signed,
      content: order.content,
      stdin:
        job.stdin.kind === 'secret'
          ? { kind: 'file', path: this.#deps.state.secretPath(job.stdin.secret) }
          : job.stdin,
      secretPieces: [...order.secrets.values()].flatMap(secretPieces),
    });
    this.#deps.crashAt('after-folder');
    const blocks = Math.floor(intent.outputBytes / blockBytes) + 1;
    const child = spawn(
      '/bin/sh',
      [helper, folder.path, String(blocks), path, interpreter, ...job.args],
      {
        cwd: job.cwd ?? folder.work,
        env: { ...environment, PATH: systemPath },
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      },
    );
    await this.#release(child, order, folder);
  }

  /** Journals the start and only then lets the waiting helper go on. */
  async #release(child: ChildProcess, order: RunOrder, folder: JobFolder): Promise<void> {
    const { jobId, intent } = order;
    const { pid, stdin } = child;
    if (pid === undefined || stdin === null) {
      const [error] = await once(child, 'error');
      throw error;
    }
    // The helper may be gone already; its end is told by `exit`.
    stdin.on('error', () => {});
    try {
      const startTime = this.#deps.processes.startTimeOf(pid);
      if (startTime === null) throw new Error('the helper died at once');
      const refusal = order.refusal();
      if (refusal !== null) {
        stdin.end();
        return await this.#end(jobId, refusal);
      }
      const startedAt = this.#deps.clock.now();
      const started: Started = { kind: 'started', jobId, pid, startTime, startedAt };
      this.#deps.crashAt('after-spawn');
      this.#deps.journal.write(started);
      this.#deps.crashAt('after-started');
      const job = this.#attach({ intent, started, folder, isChild: true });
      child.once('exit', (code, signal) => job.look({ code, signal }));
      child.unref();
      await new Promise<void>((resolve) => stdin.end('go\n', () => resolve()));
    } catch (error) {
      // End of file instead of the word: the helper runs nothing.
      stdin.destroy();
      throw error;
    }
    order.onStarted();
    this.#deps.crashAt('while-running');
  }

  #attach(of: ConstructorParameters<typeof RunningJob>[1]): RunningJob {
    const job = new RunningJob(
      {
        ...this.#deps,
        onFinished: (jobId) => {
          this.#jobs.delete(jobId);
          this.#deps.onFinished(jobId);
        },
      },
      of,
    );
    this.#jobs.set(of.intent.jobId, job);
    return job;
  }

  async #end(jobId: string, report: JobReport): Promise<void> {
    this.#deps.crashAt('before-finished');
    await this.#deps.journal.record({ kind: 'finished', jobId, report });
    this.#deps.crashAt('after-finished');
    this.#deps.onFinished(jobId);
  }

  /** A folder whose job the journal does not know is a damaged journal's second witness. */
  async #adoptFolders(): Promise<void> {
    const { journal, log } = this.#deps;
    for (const folder of this.#deps.state.jobFolders()) {
      const { jobId } = folder;
      if (journal.entry(jobId)?.intent !== undefined) continue;
      if (journal.entry(jobId)?.report !== undefined) continue;
      log.error({ jobId }, 'the journal has lost a job whose folder is there');
      const intent = folder.intent();
      await journal.record(
        intent ?? { kind: 'finished', jobId, report: plainReport('unknown', 'journal_lost') },
      );
    }
  }

  async #recoverOne(entry: Readonly<JournalEntry>): Promise<void> {
    const { processes, state, clock } = this.#deps;
    const { jobId, intent, stop } = entry;
    if (intent === undefined) return this.#end(jobId, plainReport('unknown', 'journal_lost'));
    const folder = state.jobFolder(jobId);
    if (intent.bootId === processes.bootId()) {
      const started = entry.started ?? this.#startedOf(folder);
      if (started !== null && processes.isJobAlive(started.pid, started.startTime)) {
        const job = this.#attach({ intent, started, folder, isChild: false });
        if (stop !== undefined) job.resumeStop();
        return;
      }
    }
    const exit = folder.exit();
    const reason = intent.bootId === processes.bootId() ? 'agent_restarted' : 'rebooted';
    await this.#settle(
      entry,
      exit === null ? { kind: 'lost', reason, at: clock.now() } : { kind: 'exit', ...exit },
    );
  }

  /** The start of a helper that lives although its record is lost. */
  #startedOf(folder: JobFolder): Started | null {
    const { processes, clock } = this.#deps;
    const pid = folder.pid();
    if (pid === null || !processes.hasArgument(pid, folder.path)) return null;
    const startTime = processes.startTimeOf(pid);
    if (startTime === null) return null;
    const startedAt = Math.round(clock.now() - processes.ageMs(startTime));
    return { kind: 'started', jobId: folder.jobId, pid, startTime, startedAt };
  }

  async #settle(entry: Readonly<JournalEntry>, ending: Ending): Promise<void> {
    const { jobId, intent, started } = entry;
    const sealed = sealOutput(this.#deps.state.jobFolder(jobId), {
      outputBytes: intent?.outputBytes ?? 0,
      sent: { stdout: 0, stderr: 0 },
    });
    const report = outcomeOf({
      stop: entry.stop ?? (sealed.isCut ? 'overflow' : undefined),
      ending,
      startedAt: started?.startedAt ?? null,
      sizes: sealed.sizes,
      isCut: sealed.isCut,
      note: sealed.note,
    });
    await this.#end(jobId, report);
  }
}

const notStarted = (note: string | null): JobReport => ({
  ...plainReport('failed', 'spawn_failed'),
  note,
});

const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EROFS');

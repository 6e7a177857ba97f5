import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Job, JobReport } from '../contracts/task.ts';
import { plainReport } from '../domain/job.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { cgroupOf, makeCgroup, removeEmptyCgroups } from './cgroup.ts';
import { environmentOf, findProgram, type Secrets, systemPath } from './job-environment.ts';
import type { JobFolder, OutputSizes, SignedJob } from './job-folder.ts';
import type { JournalEntry } from './job-journal.ts';
import { awaitsReboot, type Ending, outcomeOf } from './job-outcome.ts';
import { JobProcesses } from './job-processes.ts';
import type { Intent, Started, StopReason } from './journal-record.ts';
import { sealOutput } from './output-seal.ts';
import { chooseUser, type UserChoice } from './run-as.ts';
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
  /** Whom it runs as. */
  readonly user: Exclude<UserChoice, { kind: 'refused' }>;
  /** Asked at the last moment before the script exists: why it must not start, or null. */
  readonly refusal: () => JobReport | null;
  /** The script runs. Not called if it never did. */
  readonly onStarted: () => void;
};

/** Starts and stops what jobs mean on this host. Outcomes go to the journal and then to `onFinished`. */
export type Executor = {
  /** As whom a job would run on this host, before anything of it is written down. Never rejects. */
  chooseUser(runAs: string | undefined): Promise<UserChoice>;
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
  /** Gives back what ended jobs held on the host. May be called at any time. */
  tidy(): void;
  /** Lets scripts run on without this agent. */
  close(): void;
};

/** How an executor tells what becomes of jobs. */
export type ExecutorEvents = Pick<RunningJobDeps, 'onOutput' | 'onFinished'>;

export type ExecutorDeps = RunningJobDeps & {
  readonly state: StateDirectory;
  readonly jobEnvironment: Readonly<Record<string, string>>;
  /** Users that jobs may run as; null if the host does not say. */
  readonly runAsAllow: readonly string[] | null;
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

  chooseUser(runAs: string | undefined): Promise<UserChoice> {
    const { runAsAllow, state } = this.#deps;
    return chooseUser({ allow: runAsAllow, stateDirectory: state.root }, runAs);
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
    if (this.running().some((intent) => intent.slot === slot)) return true;
    // What a kill could not end, or what outlived a job whose end nobody saw, is an attempt alive.
    return [...this.#deps.journal.entries()].some(
      (entry) => entry.intent?.slot === slot && isForced(entry) && this.#isSurvived(entry),
    );
  }

  visible(jobId: string): OutputSizes | null {
    return this.#jobs.get(jobId)?.visible ?? null;
  }

  async recover(): Promise<void> {
    await this.#adoptFolders();
    const open = [...this.#deps.journal.entries()].filter((entry) => entry.report === undefined);
    for (const entry of open) await this.#recoverOne(entry);
  }

  tidy(): void {
    const { processes, state } = this.#deps;
    removeEmptyCgroups(processes.cgroupHome(), state.identity.agentId);
  }

  close(): void {
    for (const job of this.#jobs.values()) job.close();
    this.#jobs.clear();
  }

  async #start(order: RunOrder): Promise<void> {
    const { jobId, job, intent } = order;
    const user = order.user.kind === 'switch' ? order.user.user : null;
    const environment = environmentOf({
      user,
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
    if (user !== null) this.#deps.state.letThrough();
    folder.prepare({
      owner: user,
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
    const owner = user === null ? '' : `${user.uid}:${user.gid}`;
    const cgroup = makeCgroup(this.#deps.processes.cgroupHome(), jobId);
    const own = [helper, folder.path, String(blocks), path, owner, cgroup ?? ''];
    const prefix = order.user.kind === 'switch' ? order.user.prefix : [];
    const child = spawn('/bin/sh', [...own, ...prefix, interpreter, folder.script, ...job.args], {
      cwd: job.cwd ?? folder.work,
      env: { ...environment, PATH: systemPath },
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await this.#release({ child, order, folder, cgroup });
  }

  /** Journals the start and only then lets the waiting helper go on. */
  async #release(of: {
    readonly child: ChildProcess;
    readonly order: RunOrder;
    readonly folder: JobFolder;
    readonly cgroup: string | null;
  }): Promise<void> {
    const { child, order, folder, cgroup } = of;
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
      const started: Started = {
        ...{ kind: 'started', jobId, pid, startTime, startedAt },
        ...(cgroup === null ? {} : { cgroup }),
      };
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
    const exit = folder.exit();
    const mayReboot =
      exit === null ? intent.expectReboot === true : awaitsReboot(intent, exit.status);
    const at = clock.now();
    if (intent.bootId === processes.bootId()) {
      const started = entry.started ?? this.#startedOf(folder);
      if (started !== null && (this.#isAlive(started) || (exit !== null && mayReboot))) {
        const job = this.#attach({ intent, started, folder, isChild: false });
        if (stop !== undefined) job.resumeStop();
        return;
      }
    } else if (mayReboot) {
      const isInTime = at - (entry.started?.startedAt ?? entry.intendedAt) <= intent.timeoutMs;
      return this.#settle(entry, { kind: 'reboot', isInTime, at });
    }
    const reason = intent.bootId === processes.bootId() ? 'agent_restarted' : 'rebooted';
    await this.#settle(
      entry,
      exit === null ? { kind: 'lost', reason, at } : { kind: 'exit', ...exit },
    );
  }

  #isAlive(started: Started): boolean {
    const { cgroup } = started;
    return new JobProcesses(this.#deps, { ...started, cgroup: cgroup ?? null }).isAlive();
  }

  #isSurvived({ jobId, intent, started }: Readonly<JournalEntry>): boolean {
    const { processes } = this.#deps;
    if (intent?.bootId !== processes.bootId()) return false;
    if (started !== undefined) return this.#isAlive(started);
    return processes.scan().some((row) => row.jobId === jobId);
  }

  /** The start of a helper that lives although its record is lost. */
  #startedOf(folder: JobFolder): Started | null {
    const { processes, clock } = this.#deps;
    const pid = folder.pid();
    if (pid === null || !processes.hasArgument(pid, folder.path)) return null;
    const startTime = processes.startTimeOf(pid);
    if (startTime === null) return null;
    const startedAt = Math.round(clock.now() - processes.ageMs(startTime));
    const cgroup = cgroupOf(processes.cgroupHome(), folder.jobId);
    return {
      ...{ kind: 'started', jobId: folder.jobId, pid, startTime, startedAt },
      ...(cgroup === null ? {} : { cgroup }),
    };
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
      notes: [isLateReboot(ending) ? 'the host came back too late' : null, sealed.note],
    });
    await this.#end(jobId, report);
  }
}

const isLateReboot = (ending: Ending): boolean => ending.kind === 'reboot' && !ending.isInTime;

/** Whether the job did not end by itself, as far as anyone saw: then nothing of it may live on. */
const isForced = ({ stop, report }: Readonly<JournalEntry>): boolean =>
  report !== undefined &&
  (stop !== undefined || report.state === 'unknown' || report.signal !== null);

const notStarted = (note: string | null): JobReport => ({
  ...plainReport('failed', 'spawn_failed'),
  note,
});

const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EROFS');

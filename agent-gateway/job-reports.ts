import type { OutputFrame } from '../contracts/frames.ts';
import type { JobReport } from '../contracts/task.ts';
import { partsOfJobId } from '../domain/ids.ts';
import { isFinal, plainReport } from '../domain/job.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Trust } from '../platform/trust-bundle.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { ReportBatches, type Reported } from './report-batches.ts';
import type { Session } from './session.ts';
import type { OrderedFrame } from './session-frames.ts';
import { type Recreation, recreationOf } from './task-recreation.ts';

/** What agents report goes to here. Both reject when it should be tried again. */
export type JobStore = {
  pending(agentId: string): Promise<readonly string[]>;
  report(of: {
    readonly taskId: string;
    readonly reports: readonly {
      readonly agentId: string;
      readonly report: JobReport;
      readonly sessionId: string;
    }[];
  }): Promise<readonly Reported[]>;
};
export type OutputStore = {
  append(
    frame: OutputFrame,
  ): Promise<
    | { readonly kind: 'added'; readonly bytes: number }
    | { readonly kind: 'gone' | 'foreign' | 'gap' }
  >;
};

type JobText = Extract<OrderedFrame, { kind: 'text' }>['frame'];

// Nobody waits longer for the end of a job: callbacks are given up then.
const textKeptMs = 86_400_000;

export type JobReportsDeps = {
  /** Answers why the task was cancelled, or null. */
  readonly tasks: { recreate(task: Recreation, graceMs: number): Promise<string | null> };
  /** Whom agents trust to sign jobs; null while there is no bundle. */
  readonly trust: () => Trust | null;
  /** How long what has not reported is waited for after its last possible end. */
  readonly graceMs: number;
  readonly jobs: JobStore;
  readonly output: OutputStore;
  readonly metrics: GatewayMetrics;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Takes what agents say about jobs. An agent speaks for its own jobs only (invariant 9): anything
 * else is refused and counted. A result is called `stored` after Redis has it, never before
 * (rule R5).
 */
export class JobReports {
  readonly #deps: JobReportsDeps;
  readonly #batches: ReportBatches;

  constructor(deps: JobReportsDeps) {
    this.#deps = deps;
    this.#batches = new ReportBatches((batch) => deps.jobs.report(batch));
  }

  /** Handles one frame. Rejects only when it should be tried again; handling it twice is harmless. */
  async take(session: Session, { kind, frame }: OrderedFrame): Promise<void> {
    const parts = partsOfJobId(frame.jobId);
    if (parts === null || parts.agentId !== session.agentId) {
      this.#deps.metrics.frameRefused('wrong_agent');
      const { agentId } = session;
      this.#deps.log.warn({ agentId, jobId: frame.jobId }, 'an agent spoke of another’s job');
      return;
    }
    if (kind === 'output') return this.#output(frame);
    if (kind === 'ack') return this.#ack(session, frame);
    if (kind === 'text') return this.#recreate(session, frame);
    return this.#result(session, frame);
  }

  /** Ends all jobs of an agent whose journal is gone: whether they ran cannot be known (rule R16). */
  async journalLost(agentId: string): Promise<void> {
    for (const jobId of await this.#deps.jobs.pending(agentId)) {
      const report = plainReport('unknown', 'journal_lost');
      if ((await this.#report({ jobId, report, sessionId: '' })) === 'applied')
        this.#deps.metrics.jobEnded(report);
    }
  }

  async #output(frame: OutputFrame): Promise<void> {
    const taken = await this.#deps.output.append(frame);
    if (taken.kind === 'added') this.#deps.metrics.outputKept(taken.bytes);
    if (taken.kind === 'gap') this.#deps.metrics.frameRefused('output_gap');
    if (taken.kind === 'foreign') this.#deps.metrics.frameRefused('no_such_job');
  }

  async #ack(
    session: Session,
    frame: { jobId: string; state: 'acked' | 'running' },
  ): Promise<void> {
    this.#heard(session, frame.jobId);
    const { sessionId } = session;
    const report = plainReport(frame.state, null);
    const word = await this.#report({ jobId: frame.jobId, report, sessionId });
    if (word === 'foreign') this.#deps.metrics.frameRefused('no_such_job');
    if (word === 'gone') this.#askText(session, frame.jobId);
  }

  async #result(session: Session, frame: { jobId: string; report: JobReport }): Promise<void> {
    if (!isFinal(frame.report.state)) return this.#deps.metrics.frameRefused('not_final');
    const { jobId, report } = frame;
    const { sessionId } = session;
    this.#heard(session, jobId);
    this.#deps.crash('before-report');
    const word = await this.#report({ jobId, report, sessionId });
    this.#deps.crash('after-report');
    if (word === 'foreign') return this.#deps.metrics.frameRefused('no_such_job');
    // Its text comes and makes the task again, and then the result comes once more. It is not called
    // stored before, also while the text is not asked for yet: the agent would never tell it again.
    if (word === 'gone' && this.#askText(session, jobId)) return;
    if (word === 'applied') this.#deps.metrics.jobEnded(frame.report);
    else this.#deps.metrics.reportDropped(word);
    // The newer session hears of it: it is given the same job, and the agent answers again.
    if (word === 'replaced') return;
    session.stored(jobId);
    this.#deps.crash('after-stored');
  }

  /** Whether the text is to come. Without a trust bundle none can be believed, so none is asked for. */
  #askText(session: Session, jobId: string): boolean {
    return this.#deps.trust() !== null && session.askText(jobId);
  }

  /** Redis has lost the job's task: it is made again from what the submitter signed (rule R6). */
  async #recreate(session: Session, frame: JobText): Promise<void> {
    const { trust, tasks, metrics, clock, log, graceMs } = this.#deps;
    const bundle = trust();
    if (bundle === null || !session.isAsked(frame.jobId)) return;
    const of = { trust: bundle, now: clock.now(), keptMs: textKeptMs };
    const recreated = recreationOf(frame, of);
    const { agentId } = session;
    if (recreated.kind === 'task') {
      this.#deps.crash('before-recreate');
      const cancelled = await tasks.recreate(recreated.task, graceMs);
      this.#deps.crash('after-recreate');
      // Whoever cancelled it did not know of this host.
      if (cancelled !== null) session.cancel(frame.jobId, cancelled);
    }
    session.textCame(frame.jobId);
    if (recreated.kind === 'task') {
      return log.info({ agentId, jobId: frame.jobId }, 'a task that Redis had lost is known again');
    }
    metrics.textRefused(recreated.reason);
    log.warn({ agentId, jobId: frame.jobId, reason: recreated.reason }, 'a task stays lost');
    // Otherwise the agent would tell of it for ever. If it is submitted again, so is the job.
    session.stored(frame.jobId);
  }

  /** The first word on a job says how long its dispatch took. */
  #heard(session: Session, jobId: string): void {
    const ackedMs = session.acked(jobId);
    if (ackedMs !== undefined) this.#deps.metrics.acked(ackedMs);
  }

  #report(of: {
    readonly jobId: string;
    readonly report: JobReport;
    readonly sessionId: string;
  }): Promise<Reported> {
    const parts = partsOfJobId(of.jobId);
    if (parts === null) return Promise.resolve('foreign');
    const { report, sessionId } = of;
    return this.#batches.add(parts.taskId, { agentId: parts.agentId, report, sessionId });
  }
}

import type { GatewayFrame } from '../contracts/frames.ts';
import type { Job, JobReport } from '../contracts/task.ts';
import { plainReport } from '../domain/job.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { contentDigestOf } from '../platform/digest.ts';
import type { Log } from '../platform/log.ts';
import type { Executor } from './executor.ts';
import { type Secrets, secretNamesOf } from './job-environment.ts';
import type { Journal } from './job-journal.ts';
import type { Intent } from './journal-record.ts';
import { type Link, OutputSpool } from './output-spool.ts';
import type { UserChoice } from './run-as.ts';
import type { StartLease } from './start-lease.ts';
import type { AgentState } from './state-directory.ts';
import { checkStart, type Reader, readOrder, type SignedText, type Verdict } from './task-check.ts';
import type { AgentTrust } from './trust-store.ts';

type Dispatch = Extract<GatewayFrame, { type: 'dispatch' }>;
type Cancel = Extract<GatewayFrame, { type: 'cancel' }>;

export type JobDeskDeps = {
  readonly state: AgentState;
  readonly trust: Pick<AgentTrust, 'distrust'>;
  readonly journal: Journal;
  readonly executor: Executor;
  readonly lease: StartLease;
  readonly clock: Clock;
  readonly log: Log;
  readonly crashAt: CrashPoints<'agent'>;
  readonly bootId: string;
  /** How long a dispatch that meets no lease waits for one. */
  readonly leaseWaitMs: number;
  /** How long after a welcome the gateway is given to ask for results itself, saying what it has. */
  readonly resendAfterMs: number;
};

/** A dispatch between its arrival and its start; counted like a running job. */
type Pending = { slot: string | null; cancelled: Cancel['reason'] | null };

/**
 * What the agent does with the gateway's words about jobs: check, answer from the journal or
 * journal the intent and start, and send what came of it until the gateway has stored it. A
 * repeated dispatch never starts anything twice (invariant 2), whichever session brings it.
 */
export class JobDesk {
  readonly #deps: JobDeskDeps;
  readonly #reader: Reader;
  readonly #pending = new Map<string, Pending>();
  #link: Link | undefined;
  #spool: OutputSpool | undefined;

  constructor(deps: JobDeskDeps) {
    this.#deps = deps;
    const { agentId, journalId } = deps.state.identity;
    const distrust = (signed: SignedText) => deps.trust.distrust(signed);
    this.#reader = { agentId, journalId, distrust, digestOf: contentDigestOf };
  }

  /** A session was welcomed: results that the gateway has not stored are sent again. */
  onOpen(link: Link): void {
    const spool = new OutputSpool(this.#deps, link);
    this.#link = link;
    this.#spool = spool;
    this.#deps.clock.after(this.#deps.resendAfterMs, () => {
      for (const { jobId, report, stored } of this.#deps.journal.entries()) {
        if (report === undefined || stored || spool.has(jobId)) continue;
        spool.begin(jobId, { stdout: 0, stderr: 0 });
      }
    });
  }

  onClose(): void {
    this.#link = undefined;
    this.#spool = undefined;
  }

  /** Never rejects: whatever goes wrong becomes the job's report or, at worst, a line of the log. */
  async onDispatch(frame: Dispatch): Promise<void> {
    const { jobId } = frame;
    if (this.#pending.has(jobId)) return;
    // Whatever came with it: a job that started must never be told as refused, as it would be when
    // its key was dropped meanwhile. To answer starts nothing.
    if (this.#deps.journal.entry(jobId) !== undefined) return this.#answer(frame);
    const order = readOrder(frame, this.#reader);
    if (order.kind === 'refused') return this.#report(jobId, order.report);
    const pending: Pending = { slot: null, cancelled: null };
    this.#pending.set(jobId, pending);
    try {
      await this.#decide(frame, order.job, pending);
    } catch (error) {
      this.#deps.log.error({ error, jobId }, 'a dispatch could not be handled');
    } finally {
      this.#pending.delete(jobId);
    }
  }

  /** Of a job that this agent never met nothing is said: the gateway knows better (rule R5). */
  onCancel(frame: Cancel): void {
    const pending = this.#pending.get(frame.jobId);
    if (pending !== undefined) pending.cancelled ??= frame.reason;
    this.#deps.executor.stop(frame.jobId, frame.reason);
  }

  /** The gateway stored the result: it is not sent again. */
  async onStored(jobId: string): Promise<void> {
    this.#spool?.forget(jobId);
    const entry = this.#deps.journal.entry(jobId);
    if (entry?.report === undefined || entry.stored) return;
    this.#deps.crashAt('before-stored');
    await this.#deps.journal.record({ kind: 'stored', jobId });
    this.#deps.crashAt('after-stored');
  }

  onOutputGet(frame: Extract<GatewayFrame, { type: 'output-get' }>): void {
    this.#spool?.answer(frame);
  }

  /** The gateway does not know the job's task: it is given what it can make the task again from. */
  onResync(jobId: string): void {
    const isKnown = this.#deps.journal.entry(jobId) !== undefined;
    const signed = isKnown ? this.#deps.state.jobFolder(jobId).signed() : null;
    const [job, signature] = [signed?.text ?? null, signed?.signature ?? null];
    this.#send({ type: 'job-text', jobId, job, signature });
    if (isKnown) this.#answer({ jobId, have: { stdout: 0, stderr: 0 } });
  }

  onOutput(jobId: string): void {
    this.#spool?.pump(jobId);
  }

  /** The job's outcome is journalled. */
  onFinished(jobId: string): void {
    if (this.#spool?.has(jobId)) this.#spool.pump(jobId);
    else this.#spool?.begin(jobId, { stdout: 0, stderr: 0 });
  }

  async #decide(frame: Dispatch, job: Job, pending: Pending): Promise<void> {
    const user = await this.#deps.executor.chooseUser(job.runAs);
    let secrets = this.#secrets(job);
    let verdict = this.#check(job, { secrets, user });
    if (isWorthAsking(verdict)) {
      // The last pong may be some seconds old: what it said is asked again before it refuses a job.
      await this.#deps.lease.refresh(this.#deps.leaseWaitMs);
      secrets = this.#secrets(job);
      verdict = this.#check(job, { secrets, user });
    }
    if (verdict.kind === 'ended') return this.#report(frame.jobId, verdict.report);
    if (user.kind === 'refused') return; // The verdict said so.
    if (pending.cancelled !== null) {
      return this.#report(frame.jobId, plainReport('cancelled', pending.cancelled));
    }
    // From here on it counts: no await stands between the check and this line.
    pending.slot = job.slot;
    await this.#start({ frame, job, user, secrets: secrets ?? new Map(), pending });
  }

  async #start(of: {
    readonly frame: Dispatch;
    readonly job: Job;
    readonly user: Exclude<UserChoice, { kind: 'refused' }>;
    readonly secrets: Secrets;
    readonly pending: Pending;
  }): Promise<void> {
    const { jobId, job: text, signature, content, have } = of.frame;
    const intent: Intent = {
      kind: 'intent',
      jobId,
      slot: of.job.slot,
      attempt: of.job.attempt,
      bootId: this.#deps.bootId,
      notAfter: of.job.notAfter,
      timeoutMs: of.job.limits.timeoutMs,
      outputBytes: of.job.limits.outputBytes,
      ...(of.job.expectReboot === undefined ? {} : { expectReboot: of.job.expectReboot }),
    };
    this.#deps.crashAt('before-intent');
    try {
      await this.#deps.journal.append(intent);
    } catch (error) {
      this.#deps.log.error({ error, jobId }, 'no intent without a journal: the job is refused');
      return this.#refuseUnwritten(jobId);
    }
    this.#deps.crashAt('after-intent');
    this.#send({ type: 'ack', jobId, state: 'acked' });
    this.#spool?.begin(jobId, have);
    await this.#deps.executor.start({
      ...of,
      jobId,
      intent,
      signed: { text, signature: signature ?? null },
      content,
      refusal: () => this.#lateRefusal(of.job, of.pending),
      onStarted: () => this.#send({ type: 'ack', jobId, state: 'running' }),
    });
    // A cancel that came while the script was being started met nothing to stop.
    if (of.pending.cancelled !== null) this.#deps.executor.stop(jobId, of.pending.cancelled);
  }

  /** An intent whose fsync failed is known to the journal all the same, and so is its outcome. */
  async #refuseUnwritten(jobId: string): Promise<void> {
    const report = plainReport('refused', 'disk_full');
    if (this.#deps.journal.entry(jobId) === undefined) return this.#report(jobId, report);
    await this.#deps.journal.record({ kind: 'finished', jobId, report });
    this.onFinished(jobId);
  }

  /** The disk may have been slow: time and lease are looked at again when the process is there. */
  #lateRefusal(job: Job, pending: Pending): JobReport | null {
    if (pending.cancelled !== null) return plainReport('cancelled', pending.cancelled);
    const verdict = checkStart(job, {
      ...this.#permission(),
      isSlotAlive: false,
      jobsRunning: 0,
      hasSecrets: true,
      userRefusal: null,
    });
    return verdict.kind === 'ended' ? verdict.report : null;
  }

  #check(job: Job, of: { readonly secrets: Secrets | null; readonly user: UserChoice }): Verdict {
    const { executor } = this.#deps;
    const starting = [...this.#pending].filter(([, { slot }]) => slot !== null);
    // One that has just been started is among both for a moment.
    const jobs = new Set(starting.map(([jobId]) => jobId));
    for (const { jobId } of executor.running()) jobs.add(jobId);
    return checkStart(job, {
      ...this.#permission(),
      isSlotAlive:
        starting.some(([, { slot }]) => slot === job.slot) || executor.isSlotAlive(job.slot),
      jobsRunning: jobs.size,
      hasSecrets: of.secrets !== null,
      userRefusal:
        of.user.kind === 'refused'
          ? { ...plainReport('refused', of.user.reason), note: of.user.note }
          : null,
    });
  }

  #permission() {
    const { lease, state } = this.#deps;
    return {
      gatewayTime: lease.gatewayTime(),
      hostTime: this.#deps.clock.now(),
      isStopped: lease.isStopped || state.isStopped(),
      hasLease: lease.holds(),
    };
  }

  /** The job's secrets, or null if this host lacks one. */
  #secrets(job: Job): Secrets | null {
    const found = new Map<string, Buffer>();
    for (const name of secretNamesOf(job)) {
      const value = this.#deps.state.secret(name);
      if (value === null) return null;
      found.set(name, value);
    }
    return found;
  }

  #answer({ jobId, have }: Pick<Dispatch, 'jobId' | 'have'>): void {
    const entry = this.#deps.journal.entry(jobId);
    if (entry?.started !== undefined) this.#send({ type: 'ack', jobId, state: 'running' });
    else this.#send({ type: 'ack', jobId, state: 'acked' });
    this.#spool?.begin(jobId, have);
  }

  /** Tells an outcome that left no trace here: nothing ran, and a repeat is judged anew. */
  #report(jobId: string, report: JobReport): void {
    this.#deps.log.info(
      { jobId, state: report.state, reason: report.reason, note: report.note },
      'a job did not start',
    );
    this.#deps.crashAt('before-result');
    this.#send({ type: 'result', jobId, report });
    this.#deps.crashAt('after-result');
  }

  #send(frame: Parameters<Link['send']>[0]): void {
    this.#link?.send(frame);
  }
}

const mayPass: ReadonlySet<string | null> = new Set(['stopped', 'clock_unknown', 'no_lease']);

const isWorthAsking = (verdict: Verdict): boolean =>
  verdict.kind === 'ended' && mayPass.has(verdict.report.reason);

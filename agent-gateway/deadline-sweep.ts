import type { JobReport } from '../contracts/task.ts';
import { isFinal, plainReport } from '../domain/job.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { type Rounds, startRounds } from './rounds.ts';

type Due = { readonly kind: 'queue' | 'report'; readonly taskId: string };
type AgentReport = { readonly agentId: string; readonly report: JobReport };

export type DeadlineSweepDeps = {
  readonly jobs: {
    /** Nobody else is given what was claimed for `claimMs`. */
    due(of: { readonly claimMs: number; readonly count: number }): Promise<readonly Due[]>;
    settled(due: Due): Promise<void>;
    report(of: {
      readonly taskId: string;
      readonly reports: readonly AgentReport[];
      readonly onlyQueued: boolean;
    }): Promise<readonly string[]>;
  };
  readonly read: (taskId: string) => Promise<{ readonly jobs: readonly AgentReport[] } | null>;
  /** Finishes a task of which some jobs were never told again after Redis had lost it. */
  readonly giveUp: (taskId: string) => Promise<unknown>;
  /** Those to which a job could be written now, by any gateway. */
  readonly online: (agentIds: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly isLocked: (agentId: string) => boolean;
  readonly metrics: GatewayMetrics;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

const sweepMs = 1_000;
const tasksPerSweep = 100;
const jobsPerStep = 500;
// Longer than settling 20,000 jobs takes; a gateway that dies in it delays a deadline by no more.
const claimMs = 10_000;

/**
 * Ends what ran out of time, and nothing earlier: at `notAfter` what was never written to a link
 * (`expired` if the agent is there, `unreachable` if not), at the deadline whatever has not
 * reported (`unknown`). Each item is claimed by one gateway; everything may be repeated.
 */
export class DeadlineSweep {
  readonly #deps: DeadlineSweepDeps;
  #rounds: Rounds | undefined;

  constructor(deps: DeadlineSweepDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log } = this.#deps;
    const work = () => this.sweep();
    this.#rounds = startRounds({ name: 'deadlines', ms: sweepMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Settles what is due now. */
  async sweep(): Promise<void> {
    for (const due of await this.#deps.jobs.due({ claimMs, count: tasksPerSweep })) {
      await this.#settle(due).catch((error: unknown) => {
        // It stays due; the others must not wait for it.
        this.#deps.log.warn({ error, taskId: due.taskId }, 'a deadline is settled later');
      });
    }
  }

  async #settle(due: Due): Promise<void> {
    const task = await this.#deps.read(due.taskId);
    const open = (task?.jobs ?? []).filter(
      ({ agentId, report }) => agentId !== '' && !isFinal(report.state),
    );
    const isQueue = due.kind === 'queue';
    const ending = open
      .filter(({ report }) => !isQueue || report.state === 'queued')
      .map(({ agentId }) => agentId);
    const online = isQueue ? await this.#deps.online(ending) : new Set<string>();
    const reports = ending.map((agentId) => ({
      agentId,
      report: this.#verdict(due.kind, agentId, online.has(agentId)),
    }));
    for (const step of slices(reports, jobsPerStep)) {
      const words = await this.#deps.jobs.report({
        taskId: due.taskId,
        reports: step,
        onlyQueued: isQueue,
      });
      for (const [at, { report }] of step.entries()) {
        if (words[at] === 'applied') this.#deps.metrics.jobEnded(report);
      }
    }
    if (!isQueue) await this.#deps.giveUp(due.taskId);
    this.#deps.crash('after-settle');
    await this.#deps.jobs.settled(due);
  }

  #verdict(kind: Due['kind'], agentId: string, isOnline: boolean): JobReport {
    if (kind === 'report') return plainReport('unknown', 'deadline');
    if (this.#deps.isLocked(agentId)) return plainReport('unreachable', 'locked');
    return isOnline ? plainReport('expired', 'not_after') : plainReport('unreachable', 'offline');
  }
}

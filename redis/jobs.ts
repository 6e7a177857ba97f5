import type { Redis } from 'ioredis';
import { limits } from '../contracts/limits.ts';
import type { JobReport } from '../contracts/task.ts';
import { jobIdOf } from '../domain/ids.ts';
import { plainReport } from '../domain/job.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { endingKeys, endingPreludes } from './tasks.ts';
import { guarded } from './unavailable.ts';

const report = script('task-report', ...endingPreludes);
const dispatch = script('jobs-dispatch', 'redis-time');
const claim = script('deadline-claim', 'redis-time');

/**
 * `late`: it had ended, or gone further, before. `foreign`: the task has no job of that agent.
 * `replaced`: the agent has a newer session, which is given the job and asked.
 */
export type Reported = 'applied' | 'late' | 'foreign' | 'gone' | 'replaced';

export type Have = { readonly stdout: number; readonly stderr: number };

/** What is to become of a job that may be sent. `over` took it out of the queue. */
export type Marked =
  | { readonly kind: 'send'; readonly have: Have }
  | { readonly kind: 'too_late' | 'over' };

/** Something of a task that is due: what still queues, or what has not reported. */
export type Due = {
  readonly kind: 'queue' | 'report';
  readonly taskId: string;
};

const dispatchedRow = JSON.stringify(plainReport('dispatched', null));

/** Jobs as Redis keeps them: forward only (rule R5). Rejects with `upstream_unavailable` only. */
export class Jobs {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * Moves jobs of one task forward in one step; answers one word per report, in order. A report
   * with a session counts only while no newer session of the agent is known. With `onlyQueued` a
   * job that was sent meanwhile is left as it is. May be repeated.
   */
  report(of: {
    readonly taskId: string;
    readonly reports: readonly {
      readonly agentId: string;
      readonly report: JobReport;
      readonly sessionId?: string;
    }[];
    readonly onlyQueued?: boolean;
  }): Promise<readonly Reported[]> {
    const condition = of.onlyQueued === true ? 'queued' : 'any';
    return guarded(async () => {
      const words = await report(
        this.#redis,
        [
          ...[...endingKeys(of.taskId), keys.agent.owners],
          ...of.reports.map(({ agentId }) => keys.agent.pending(agentId)),
        ],
        [
          ...[of.taskId, limits.taskKeptMs, condition],
          ...of.reports.flatMap((job) => [
            ...[job.agentId, JSON.stringify(job.report), job.sessionId ?? ''],
          ]),
        ],
      );
      return words as Reported[]; // The script's five words.
    });
  }

  /**
   * Marks jobs of one task as sent and says, by position, how to send each; to be called before
   * each write to a link. `cancel` is the reason for which the task was cancelled.
   */
  markDispatched(of: { readonly taskId: string; readonly agentIds: readonly string[] }): Promise<{
    readonly createdAt: number;
    readonly cancel: string | null;
    readonly jobs: readonly Marked[];
  }> {
    const { taskId } = of;
    return guarded(async () => {
      const [createdAt, cancel, words, have] = (await dispatch(
        this.#redis,
        [
          ...[keys.task.task(taskId), keys.task.jobs(taskId)],
          ...of.agentIds.flatMap((agentId) => [
            keys.task.output({ taskId, agentId }),
            keys.agent.pending(agentId),
          ]),
        ],
        [taskId, dispatchedRow, ...of.agentIds],
      )) as [string, string, string, number[]];
      return {
        createdAt: Number(createdAt),
        cancel: cancel === '' ? null : cancel,
        jobs: markedOf(words, have),
      };
    });
  }

  /** Job ids of an agent that have not ended, oldest first. */
  pending(agentId: string): Promise<readonly string[]> {
    return guarded(() => this.#redis.zrange(keys.agent.pending(agentId), '0', '-1'));
  }

  /** The same of several agents, by position, in one round trip. */
  pendingOf(agentIds: readonly string[]): Promise<readonly (readonly string[])[]> {
    return guarded(async () => {
      const step = this.#redis.pipeline();
      for (const agentId of agentIds) step.zrange(keys.agent.pending(agentId), '0', '-1');
      const answers = (await step.exec()) ?? [];
      return answers.map(([error, jobIds]) => {
        if (error !== null) throw error;
        return jobIds as string[];
      });
    });
  }

  /** Claims what is due by Redis's clock for `claimMs`, earliest first, at most `count`. */
  due(of: { readonly claimMs: number; readonly count: number }): Promise<readonly Due[]> {
    return guarded(async () => {
      const members = (await claim(
        this.#redis,
        [keys.deadlines],
        [of.claimMs, of.count],
      )) as string[];
      return members.flatMap((member): Due[] => {
        const [kind, taskId] = member.split(':');
        return (kind === 'queue' || kind === 'report') && taskId ? [{ kind, taskId }] : [];
      });
    });
  }

  /** Forgets a deadline whose jobs were all settled. */
  async settled(due: Due): Promise<void> {
    await guarded(() => this.#redis.zrem(keys.deadlines, `${due.kind}:${due.taskId}`));
  }

  /** Takes a task that is not there any more out of agents' queues. */
  async forget(of: {
    readonly taskId: string;
    readonly agentIds: readonly string[];
  }): Promise<void> {
    const step = this.#redis.pipeline();
    for (const agentId of of.agentIds) {
      step.zrem(keys.agent.pending(agentId), jobIdOf(of.taskId, agentId));
    }
    await guarded(() => step.exec());
  }
}

function markedOf(words: string, have: readonly number[]): Marked[] {
  let next = 0;
  return [...words].map((word): Marked => {
    if (word === 'l' || word === 'o') return { kind: word === 'l' ? 'too_late' : 'over' };
    if (word === 'f') return { kind: 'send', have: { stdout: 0, stderr: 0 } };
    next += 2;
    return { kind: 'send', have: { stdout: have[next - 2] ?? 0, stderr: have[next - 1] ?? 0 } };
  });
}

import type { Redis } from 'ioredis';
import { limits } from '../contracts/limits.ts';
import type { JobReport } from '../contracts/task.ts';
import { jobIdOf, partsOfJobId } from '../domain/ids.ts';
import { plainReport } from '../domain/job.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { endingKeys } from './tasks.ts';
import { guarded } from './unavailable.ts';

const report = script('task-report', 'task-ending');
const dispatch = script('job-dispatch');

/** `late`: it had ended, or gone further, before. `foreign`: the task has no job of that agent. */
export type Reported = 'applied' | 'late' | 'foreign' | 'gone';

/** What is to become of a job that may be sent. `over` took it out of the queue. */
export type Marked =
  | {
      readonly kind: 'send';
      readonly have: { readonly stdout: number; readonly stderr: number };
      readonly cancel: string | null;
    }
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
   * Moves jobs of one task forward in one step; answers one word per report, in order. With
   * `onlyQueued` a job that was sent meanwhile is left as it is. May be repeated.
   */
  report(of: {
    readonly taskId: string;
    readonly reports: readonly { readonly agentId: string; readonly report: JobReport }[];
    readonly now: number;
    readonly onlyQueued?: boolean;
  }): Promise<readonly Reported[]> {
    const condition = of.onlyQueued === true ? 'queued' : 'any';
    return guarded(async () => {
      const words = await report(
        this.#redis,
        [...endingKeys(of.taskId), ...of.reports.map(({ agentId }) => keys.agent.pending(agentId))],
        [
          ...[of.taskId, of.now, limits.taskKeptMs],
          ...of.reports.flatMap((job) => [job.agentId, JSON.stringify(job.report), condition]),
        ],
      );
      return words as Reported[]; // The script's four words.
    });
  }

  /** Marks a job as sent and says how to send it; to be called before each write to a link. */
  markDispatched(of: {
    readonly taskId: string;
    readonly agentId: string;
    readonly now: number;
  }): Promise<Marked> {
    const { taskId, agentId } = of;
    return guarded(async () => {
      const answer = await dispatch(
        this.#redis,
        [
          keys.task.task(taskId),
          keys.task.jobs(taskId),
          keys.task.output({ taskId, agentId, stream: 'stdout' }),
          keys.task.output({ taskId, agentId, stream: 'stderr' }),
          keys.agent.pending(agentId),
        ],
        [agentId, jobIdOf(taskId, agentId), of.now, dispatchedRow],
      );
      const [kind, stdout, stderr, cancel] = answer as [
        'send' | 'too_late' | 'over',
        number,
        number,
        string,
      ];
      if (kind !== 'send') return { kind };
      return { kind, have: { stdout, stderr }, cancel: cancel === '' ? null : cancel };
    });
  }

  /** Job ids of an agent that have not ended, oldest first. */
  pending(agentId: string): Promise<readonly string[]> {
    return guarded(() => this.#redis.zrange(keys.agent.pending(agentId), '0', '-1'));
  }

  /** What is due at `now`, earliest first, at most `count`. */
  due(of: { readonly now: number; readonly count: number }): Promise<readonly Due[]> {
    return guarded(async () => {
      const members = await this.#redis.zrangebyscore(
        ...([keys.deadlines, '-inf', of.now, 'LIMIT', 0, of.count] as const),
      );
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

  /** Takes an entry out of an agent's queue whose task is not there any more. */
  async forget(jobId: string): Promise<void> {
    const parts = partsOfJobId(jobId);
    if (parts) await guarded(() => this.#redis.zrem(keys.agent.pending(parts.agentId), jobId));
  }
}

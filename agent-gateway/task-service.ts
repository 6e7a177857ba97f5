import { setImmediate } from 'node:timers/promises';
import { limits } from '../contracts/limits.ts';
import type { TaskReport, TaskSubmit } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import { taskIdOf } from '../domain/ids.ts';
import { plainReport } from '../domain/job.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { sha256 } from '../platform/digest.ts';
import type { Log } from '../platform/log.ts';
import type { Tasks } from '../redis/tasks.ts';
import type { Dispatcher } from './dispatch.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayPeers } from './gateway-peers.ts';
import type { Inventory } from './inventory.ts';
import { checkedSubmit, digestOfSubmit } from './submit-check.ts';
import type { TaskBodies } from './task-bodies.ts';
import { taskReportOf } from './task-report.ts';

export type TaskServiceDeps = {
  readonly tasks: Tasks;
  readonly dispatcher: Dispatcher;
  readonly bodies: TaskBodies;
  readonly peers: GatewayPeers;
  readonly inventory: Inventory;
  /** Hosts that callbacks may go to. */
  readonly egressAllow: readonly string[];
  readonly metrics: GatewayMetrics;
  readonly crash: CrashPoints<'gateway'>;
  readonly log: Log;
};

type CancelReason = 'operator' | 'resolved' | 'stop';

/** Taking, telling and cancelling tasks (design 5.5, 5.8). Everything may be repeated. */
export class TaskService {
  readonly #deps: TaskServiceDeps;

  constructor(deps: TaskServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Keeps a task once per key. The same key and body meet the same task, whoever signed it; another
   * body is a `conflict`. Jobs are written to links once the task is kept, not before. Jobs of a
   * task that was here before and was lost count as sent: what became of them only agents know.
   */
  async submit(of: {
    readonly key: string;
    readonly body: unknown;
    readonly isAgain: boolean;
  }): Promise<{ readonly isNew: boolean; readonly report: TaskReport }> {
    const task = await checkedSubmit(of, this.#deps.egressAllow);
    const taskId = taskIdOf(of.key, sha256);
    const digest = await digestOfSubmit(task);
    // Each of these steps takes some milliseconds for 20,000 targets: pings and other tasks come between.
    // Between the steps of a small task, thousands of answers to a large one would.
    const rest = () => (task.targets.length > limits.sliceTargetsMax ? setImmediate() : undefined);
    const enrolled = await this.#deps.inventory.enrolled(
      task.targets.map(({ agentId }) => agentId),
    );
    await rest();
    this.#deps.crash('before-submit');
    const submitted = await this.#deps.tasks.submit({
      ...{ taskId, key: of.key, task, digest },
      isAgain: of.isAgain,
      isEnrolled: (agentId) => enrolled.has(agentId),
    });
    if (submitted.kind === 'conflict') {
      throw new FixpointError('conflict', 'the idempotency key was used with another body', {
        hint: 'a repeat must send the same body; another task needs another key',
      });
    }
    this.#deps.crash('after-submit');
    const isNew = submitted.kind === 'created';
    if (isNew) this.#deps.bodies.put({ taskId, key: of.key, task });
    await rest();
    const report = isNew
      ? newReport({ taskId, key: of.key, task, enrolled })
      : await this.report(taskId);
    await rest();
    if (isNew) this.#deps.metrics.jobsNotEnrolled(task.targets.length - enrolled.size);
    // Also for a repeat: the submit that created it may have died with its answer.
    if (report.state === 'open') this.#begin({ taskId, createdAt: submitted.createdAt }, task);
    return { isNew, report };
  }

  /** The task as it stands. Throws `not_found`. */
  async report(taskId: string): Promise<TaskReport> {
    return taskReportOf(await this.stored(taskId));
  }

  async stored(taskId: string) {
    const task = await this.#deps.tasks.read(taskId);
    if (task === null) throw notFound(taskId);
    return task;
  }

  /** Ends what queues and asks the agents to end what runs; the report says what became of it. */
  async cancel(taskId: string, reason: CancelReason): Promise<TaskReport> {
    const { tasks, dispatcher, peers, metrics } = this.#deps;
    const cancelled = await tasks.cancel({ taskId, reason });
    if (cancelled === null) throw notFound(taskId);
    this.#deps.crash('after-cancel');
    metrics.jobsCancelled(cancelled.ended);
    dispatcher.cancel({ taskId, agentIds: cancelled.inFlight, reason });
    void peers.tellCancel({ taskId, agentIds: cancelled.inFlight, reason });
    return this.report(taskId);
  }

  /** Its jobs go out from here and from wherever else its agents are. What fails is found later. */
  #begin(of: { readonly taskId: string; readonly createdAt: number }, task: TaskSubmit): void {
    const { dispatcher, peers, log } = this.#deps;
    dispatcher.begin(of).catch((error: unknown) => {
      log.warn({ error, taskId: of.taskId }, 'a task begins at the next look');
    });
    void peers.tellTask({ ...of, agentIds: task.targets.map(({ agentId }) => agentId) });
  }
}

/** What Redis would say of a task that it has just kept, without reading 20,000 rows. */
function newReport(of: {
  readonly taskId: string;
  readonly key: string;
  readonly task: TaskSubmit;
  readonly enrolled: ReadonlySet<string>;
}): TaskReport {
  const jobs = of.task.targets.map(({ agentId }) => ({
    agentId,
    report: of.enrolled.has(agentId)
      ? plainReport('queued', null)
      : plainReport('not_enrolled', 'not_enrolled'),
  }));
  const state = of.enrolled.size > 0 ? 'open' : 'finished';
  return taskReportOf({ ...of, state, isPartial: false, jobs });
}

const notFound = (taskId: string): FixpointError =>
  new FixpointError('not_found', `there is no task ${taskId}`, {
    hint: 'tasks are kept for 7 days after they finished',
  });

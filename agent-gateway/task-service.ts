import { setImmediate } from 'node:timers/promises';
import { limits } from '../contracts/limits.ts';
import { type TaskReport, type TaskSubmit, taskSubmit } from '../contracts/task.ts';
import { egressRefusal } from '../domain/egress.ts';
import { FixpointError, type Flaw } from '../domain/errors.ts';
import { taskIdOf } from '../domain/ids.ts';
import { plainReport } from '../domain/job.ts';
import { jobWriter } from '../domain/job-bytes.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { contentDigestOf, sha256, sha256Hex } from '../platform/digest.ts';
import type { Log } from '../platform/log.ts';
import type { Tasks } from '../redis/tasks.ts';
import type { Dispatcher } from './dispatch.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayPeers } from './gateway-peers.ts';
import type { Inventory } from './inventory.ts';
import { checked } from './problem.ts';
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

// What a dispatch frame has around its job and script.
const frameOverheadBytes = 512;

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
    const task = checked(taskSubmit, of.body);
    // Each step takes tens of milliseconds for 20,000 targets: pings and other tasks come between.
    // Between the steps of a small task, thousands of answers to a large one would.
    const isLarge = task.targets.length > limits.sliceJobsMax;
    const rest = () => (isLarge ? setImmediate() : undefined);
    await rest();
    this.#check(of.key, task);
    const taskId = taskIdOf(of.key, sha256);
    const enrolled = this.#enrolled(task);
    await rest();
    const digest = sha256Hex(canonicalJson(unsigned(task)));
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

  #enrolled(task: TaskSubmit): ReadonlySet<string> {
    const ids = task.targets.map(({ agentId }) => agentId);
    return new Set(ids.filter((agentId) => this.#deps.inventory.byId(agentId) !== undefined));
  }

  #check(key: string, task: TaskSubmit): void {
    const flaws = [
      ...duplicateFlaws(task),
      ...frameFlaws(key, task),
      ...callbackFlaws(task, this.#deps.egressAllow),
    ];
    if (task.deadline < task.notAfter) {
      flaws.push({ field: 'deadline', fix: 'must not be before notAfter' });
    }
    if (flaws.length > 0) {
      throw new FixpointError('invalid_payload', 'the task has flaws', { flaws });
    }
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

function duplicateFlaws(task: TaskSubmit): Flaw[] {
  const seen = new Set<string>();
  return task.targets.flatMap(({ agentId }, at) => {
    const isRepeated = seen.has(agentId);
    seen.add(agentId);
    if (!isRepeated) return [];
    return { field: `targets.${at}.agentId`, value: agentId, fix: 'is there twice' };
  });
}

/** What makes two submits the same: the signing key may be replaced between two tries (rule X1). */
function unsigned({ keyId: _, ...task }: TaskSubmit): unknown {
  return { ...task, targets: task.targets.map(({ signature: _, ...target }) => target) };
}

/** An agent would end its link over a frame that is too large, again and again. */
function frameFlaws(key: string, task: TaskSubmit): Flaw[] {
  const jobText = jobWriter({
    ...{ taskId: taskIdOf(key, sha256), key, task },
    contentDigest: contentDigestOf(task.action.content),
  });
  const own = task.targets.flatMap((target, at) =>
    target.args || target.env || target.stdin ? [{ target, at }] : [],
  );
  const plain = task.targets.findIndex(({ args, env, stdin }) => !args && !env && !stdin);
  const first = task.targets[plain];
  const measured = first === undefined ? own : [{ target: first, at: plain }, ...own];
  const contentBytes = Buffer.byteLength(JSON.stringify(task.action.content));
  return measured.flatMap(({ target, at }) => {
    const job = JSON.stringify(jobText(target, at));
    const bytes = Buffer.byteLength(job) + contentBytes + frameOverheadBytes;
    if (bytes <= limits.frameBytes) return [];
    const fix = `arguments, environment and stdin make a job of ${bytes} bytes; ${limits.frameBytes} may be`;
    return { field: `targets.${at}`, fix };
  });
}

function callbackFlaws(task: TaskSubmit, allowed: readonly string[]): Flaw[] {
  if (task.callback === null) return [];
  const refusal = egressRefusal(new URL(task.callback.url), allowed);
  return refusal === null ? [] : [{ field: 'callback.url', ...refusal }];
}

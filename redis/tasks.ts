import { setImmediate } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { limits } from '../contracts/limits.ts';
import type { JobReport, TaskSubmit } from '../contracts/task.ts';
import { plainReport } from '../domain/job.ts';
import { slices } from '../domain/slices.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { guarded } from './unavailable.ts';

/** What every script that may end a job begins with. */
export const endingPreludes = ['redis-time', 'task-ending'] as const;

const read = script('task-read');
const submit = script('task-submit', ...endingPreludes, 'task-rows');
const queue = script('task-queue', ...endingPreludes, 'task-rows');
const cancel = script('task-cancel', ...endingPreludes);
const recreate = script('task-recreate', ...endingPreludes);
const giveUp = script('task-give-up', ...endingPreludes);

/**
 * A task as it stands: its jobs in the order of the submit. Times are Unix milliseconds. Of a task
 * that was made again from some of its jobs, those of which nobody told have an empty agent id.
 */
export type StoredTask = {
  readonly taskId: string;
  readonly key: string;
  readonly state: 'open' | 'finished';
  /** Open, and known only as far as some of its jobs told of it. */
  readonly isPartial: boolean;
  readonly jobs: readonly { readonly agentId: string; readonly report: JobReport }[];
  readonly callbackUrl: string | null;
  readonly reference: string | null;
};

export type OpenTask = {
  readonly taskId: string;
  readonly key: string;
  readonly reference: string | null;
  readonly createdAt: number;
};

/** `createdAt` tells a task from one of the same id that Redis has lost since. */
export type Submitted =
  | { readonly kind: 'created' | 'same'; readonly createdAt: number }
  | { readonly kind: 'conflict' };

/** What every script that may end a job is given first; see `task-ending.lua`. */
export const endingKeys = (taskId: string): string[] => [
  keys.task.task(taskId),
  keys.task.jobs(taskId),
  keys.task.open,
  keys.deadlines,
  keys.outbox.callbacks,
];

const unknownReport = () => plainReport('unknown', 'deadline');
const queuedReport = () => plainReport('queued', null);
const queuedRow = JSON.stringify(plainReport('queued', null));
const notEnrolledRow = JSON.stringify(plainReport('not_enrolled', 'not_enrolled'));
const dispatchedRow = JSON.stringify(plainReport('dispatched', null));
const openTasksMax = 10_000;

/**
 * Tasks as Redis keeps them, by its own clock (rule R5). Every method rejects with `upstream_unavailable` only.
 */
export class Tasks {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * Keeps a task and queues its jobs, once per task id. `digest` stands for the body without its signatures;
   * jobs of agents that `isEnrolled` denies are over at once. The task is kept in one step, and the jobs of a
   * large one in several; those that were not when this died are by a repeat, or by whoever reads the task.
   */
  submit(of: {
    readonly taskId: string;
    readonly key: string;
    readonly digest: string;
    readonly task: TaskSubmit;
    readonly isEnrolled: (agentId: string) => boolean;
    /** It was here before, so its jobs may have been sent: none of them is called unreachable. */
    readonly isAgain: boolean;
  }): Promise<Submitted> {
    const { task } = of;
    const agents = task.targets.map(({ agentId }) => agentId);
    return guarded(async () => {
      const [kind, createdAt, queued] = (await submit(
        this.#redis,
        [...endingKeys(of.taskId), keys.agent.pending('*')],
        [
          ...[of.taskId, limits.taskKeptMs, of.key, of.digest, JSON.stringify(task)],
          ...[agents.join(','), agents.length, task.notAfter, task.deadline],
          ...[task.callback?.url ?? '', task.callback?.reference ?? '', task.limits.outputBytes],
          ...[of.isAgain ? '1' : '', dispatchedRow, queuedRow, notEnrolledRow],
          ...[agents.filter((id) => !of.isEnrolled(id)).join(','), limits.sliceTargetsMax],
        ],
      )) as ['created' | 'same' | 'conflict', string, string]; // The script's three words.
      if (kind === 'conflict') return { kind };
      await this.#queueRest(of.taskId, agents, queued);
      return { kind, createdAt: Number(createdAt) };
    });
  }

  /** Keeps and queues the jobs after the first `queued`, in slices; '' stands for none. May be repeated, also beside others. */
  async #queueRest(taskId: string, agents: readonly string[], queued: string): Promise<void> {
    let from = queued === '' ? agents.length : Number(queued);
    for (const slice of slices(agents.slice(from), limits.sliceTargetsMax)) {
      const until = from + slice.length;
      await queue(
        this.#redis,
        [...endingKeys(taskId), keys.agent.pending('*')],
        [taskId, limits.taskKeptMs, from, until, notEnrolledRow, ...slice],
      );
      from = until;
    }
  }

  /**
   * The task with all its jobs, or null if there is none (any more). A large one is read in slices, between
   * which others have their turn: its jobs are as they were at `state`, or further on, each by itself. Jobs that
   * whoever kept it did not come to queue are queued first.
   */
  read(taskId: string): Promise<StoredTask | null> {
    return guarded(async () => {
      const answer = await read(
        this.#redis,
        [keys.task.task(taskId), keys.task.jobs(taskId)],
        [limits.sliceTargetsMax],
      );
      if (!Array.isArray(answer)) return null;
      const [key, state, agents, callbackUrl, reference, partial, queued, flat] = answer as Head;
      const isFinished = state === 'finished';
      const untold = isFinished ? unknownReport : queuedReport;
      const agentIds = agents === '' ? await this.#places(taskId) : agents.split(',');
      await this.#queueRest(taskId, agentIds, queued);
      const rows = flat === null ? await this.#rows(taskId, agentIds) : rowsOf(flat);
      if (rows === null) return null;
      return {
        taskId,
        key,
        state: isFinished ? 'finished' : 'open',
        isPartial: partial !== '' && !isFinished,
        jobs: agentIds.map((agentId) => ({ agentId, report: rows.get(agentId) ?? untold() })),
        callbackUrl: callbackUrl || null,
        reference: callbackUrl ? reference : null,
      };
    });
  }

  /** Null if Redis lost the task meanwhile: each of these had a row. */
  async #rows(taskId: string, agentIds: readonly string[]): Promise<Rows | null> {
    const found = new Map<string, JobReport>();
    for (const slice of slices(agentIds, limits.sliceTargetsMax)) {
      const rows = await this.#redis.hmget(keys.task.jobs(taskId), ...slice);
      for (const [at, agentId] of slice.entries()) {
        const row = rows[at];
        if (!row) return null;
        found.set(agentId, reportOf(row));
      }
      await setImmediate();
    }
    return found;
  }

  /** The agent ids of a task that was made again from some of its jobs; empty where nobody told. */
  async #places(taskId: string): Promise<readonly string[]> {
    const fields = await this.#redis.hgetall(keys.task.task(taskId));
    const size = Number(fields['size'] ?? 0);
    return Array.from({ length: size }, (_, at) => fields[`at:${at}`] ?? '');
  }

  /**
   * Makes a task again, as far as one of its jobs tells of it (rule R6). What is known of the task
   * or the job stays. Answers why the task was cancelled, or null. May be repeated, with every job of the
   * task and in any order.
   */
  recreate(
    of: {
      readonly taskId: string;
      readonly key: string;
      readonly agentId: string;
      readonly size: number;
      readonly position: number;
      readonly notAfter: number;
      /** When the job has ended at the latest, Unix milliseconds. */
      readonly endsAt: number;
      readonly outputBytes: number;
      readonly callback: { readonly url: string; readonly reference: string } | null;
    },
    /** How long what has not reported is waited for after that, and after now. */
    graceMs: number,
  ): Promise<string | null> {
    return guarded(async () => {
      const cancel = await recreate(
        this.#redis,
        [...endingKeys(of.taskId), keys.agent.pending(of.agentId)],
        [
          ...[of.taskId, limits.taskKeptMs, of.key, of.size, of.position, of.agentId],
          ...[dispatchedRow, of.notAfter, of.endsAt],
          ...[of.callback?.url ?? '', of.callback?.reference ?? '', of.outputBytes, graceMs],
        ],
      );
      return (cancel as string) || null;
    });
  }

  /**
   * Finishes a task that was made again from some of its jobs and of which the others have never
   * told: those stay unknown. Any other task is left as it is. Answers how many those were.
   */
  giveUp(taskId: string): Promise<number> {
    return guarded(async () =>
      Number(await giveUp(this.#redis, endingKeys(taskId), [taskId, limits.taskKeptMs])),
    );
  }

  /**
   * The body as it was submitted, with its key; kept until the task finishes. Jobs that whoever kept it did not come
   * to queue are queued first.
   */
  body(taskId: string): Promise<{ readonly key: string; readonly task: TaskSubmit } | null> {
    return guarded(async () => {
      const [key, text, queued] = await this.#redis.hmget(
        keys.task.task(taskId),
        ...['key', 'body', 'queued'],
      );
      if (!key || !text) return null;
      const task = JSON.parse(text) as TaskSubmit; // Written by submit() only.
      const agents = task.targets.map(({ agentId }) => agentId);
      await this.#queueRest(taskId, agents, queued ?? '');
      return { key, task };
    });
  }

  /** Tasks that have not finished, newest first, at most 10,000. */
  open(): Promise<readonly OpenTask[]> {
    return guarded(async () => {
      const ids = await this.#redis.zrevrange(keys.task.open, 0, openTasksMax - 1);
      const rows = await Promise.all(
        ids.map((taskId) =>
          this.#redis.hmget(
            keys.task.task(taskId),
            ...['key', 'callbackUrl', 'reference', 'createdAt'],
          ),
        ),
      );
      return ids.flatMap((taskId, at) => {
        const [key, callbackUrl, reference, createdAt] = rows[at] ?? [];
        if (!key) return [];
        return {
          taskId,
          key,
          reference: callbackUrl ? (reference ?? '') : null,
          createdAt: Number(createdAt),
        };
      });
    });
  }

  /** The same, told by no more than id, time of creation and the reason it was cancelled for. */
  openMarks(): Promise<
    readonly {
      readonly taskId: string;
      readonly createdAt: number;
      readonly cancel: string | null;
    }[]
  > {
    return guarded(async () => {
      const flat = await this.#redis.zrevrange(keys.task.open, 0, openTasksMax - 1, 'WITHSCORES');
      const marks = flat.flatMap((taskId, at) =>
        at % 2 === 0 ? [{ taskId, createdAt: Number(flat[at + 1]) }] : [],
      );
      const step = this.#redis.pipeline();
      for (const { taskId } of marks) step.hget(keys.task.task(taskId), 'cancel');
      const reasons = marks.length === 0 ? [] : await step.exec();
      return marks.map((mark, at) => ({ ...mark, cancel: (reasons?.[at]?.[1] as string) ?? null }));
    });
  }

  openCount(): Promise<number> {
    return guarded(() => this.#redis.zcard(keys.task.open));
  }

  /**
   * Ends queued jobs at once and keeps the wish for those that were sent, which it names. The
   * first reason stays. Null if there is no such task; a finished one has none in flight.
   */
  cancel(of: {
    readonly taskId: string;
    readonly reason: string;
  }): Promise<{ readonly inFlight: readonly string[]; readonly ended: number } | null> {
    return guarded(async () => {
      const place = keys.task.task(of.taskId);
      const [text, queued] = await this.#redis.hmget(place, 'agents', 'queued');
      const agents = text?.split(',') ?? (await this.#redis.hkeys(keys.task.jobs(of.taskId)));
      await this.#queueRest(of.taskId, agents, queued ?? '');
      if (agents.length === 0) return null;
      const answer = await cancel(
        this.#redis,
        [...endingKeys(of.taskId), ...agents.map(keys.agent.pending)],
        [
          ...[of.taskId, limits.taskKeptMs, of.reason],
          ...[JSON.stringify(plainReport('cancelled', of.reason)), ...agents],
        ],
      );
      if (answer === null) return null;
      const [ended, ...inFlight] = answer as [number, ...string[]];
      return { ended, inFlight };
    });
  }

  /** Whether the task is there and has not finished. */
  isOpen(taskId: string): Promise<boolean> {
    return guarded(
      async () => (await this.#redis.hget(keys.task.task(taskId), 'state')) === 'open',
    );
  }

  /** Why the task was cancelled, or null if it was not. */
  cancelReason(taskId: string): Promise<string | null> {
    return guarded(() => this.#redis.hget(keys.task.task(taskId), 'cancel'));
  }
}

/** What the script answers; jobs are null where they are many. */
type Head = [string, string, string, string, string, string, string, string[] | null];
type Rows = ReadonlyMap<string, JobReport>;

// Written from checked reports by our own scripts: 20,000 rows are not checked once more.
const reportOf = (row: string) => JSON.parse(row) as JobReport;

function rowsOf(flat: readonly string[]): Rows {
  const rows = new Map<string, JobReport>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    rows.set(flat[at] ?? '', reportOf(flat[at + 1] ?? ''));
  }
  return rows;
}

import { setImmediate } from 'node:timers/promises';
import { limits } from '../contracts/limits.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Dispatcher } from './dispatch.ts';
import { type Rounds, startRounds } from './rounds.ts';
import type { Session } from './session.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { TaskBodies } from './task-bodies.ts';

type OpenTask = {
  readonly taskId: string;
  readonly createdAt: number;
  readonly cancel: string | null;
};

export type FallbackLookDeps = {
  readonly registry: SessionRegistry;
  readonly dispatcher: Pick<Dispatcher, 'begin' | 'cancelGiven'>;
  readonly bodies: Pick<TaskBodies, 'keepOnly'>;
  readonly openTasks: () => Promise<readonly OpenTask[]>;
  /** Another one is another Redis, which may lack what the one before had been given last. */
  readonly runId: () => Promise<string>;
  /** By position: whether each session is still its agent's newest. */
  readonly keep: (
    sessions: readonly (Pick<Session, 'agentId' | 'sessionId' | 'connectedAt' | 'version'> & {
      readonly entry: string;
    })[],
  ) => Promise<readonly ('mine' | 'again' | 'other')[]>;
  readonly gatewayLookMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

const replacedRetryMs = 1_000;

/**
 * Finds in Redis what this gateway should have been woken for and was not: tasks, cancels, newer
 * sessions elsewhere. So a lost wake-up costs seconds, not the job (rule R5). It looks at tasks and
 * not at agents, because there are few of those.
 */
export class FallbackLook {
  readonly #deps: FallbackLookDeps;
  /** Open tasks that were begun here: id → what was known of it. */
  #begun = new Map<string, OpenTask>();
  /** Of the last look; undefined before the first. */
  #runId: string | undefined;
  #mayHaveLost = false;
  #rounds: Rounds | undefined;

  constructor(deps: FallbackLookDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log, gatewayLookMs: ms } = this.#deps;
    this.#rounds = startRounds({ name: 'look', ms, work: () => this.look(), clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /**
   * Redis was away and may come back as a replica that lacks what was written last: a mark, or a
   * result that the agent was told is stored. So the jobs of all open tasks are sent again at the
   * next look, and agents answer from their journals (rule R6).
   */
  redisReturned(): void {
    this.#mayHaveLost = true;
    for (const session of this.#deps.registry.all()) session.doubtGiven();
  }

  /** Looks once. Rejects if Redis is away. */
  async look(): Promise<void> {
    await this.#lookAtRun();
    await this.#keepSessions();
    if (this.#mayHaveLost) this.#begun = new Map();
    this.#mayHaveLost = false;
    const open = await this.#deps.openTasks();
    this.#deps.bodies.keepOnly(new Set(open.map(({ taskId }) => taskId)));
    const before = this.#begun;
    this.#begun = new Map();
    for (const task of open) {
      const known = before.get(task.taskId);
      const { taskId, createdAt, cancel } = task;
      if (known?.createdAt !== createdAt && !(await this.#deps.dispatcher.begin(task))) continue;
      if (cancel !== null && known?.cancel !== cancel) {
        this.#deps.dispatcher.cancelGiven({ taskId, reason: cancel });
      }
      this.#begun.set(taskId, task);
    }
  }

  async #lookAtRun(): Promise<void> {
    const runId = await this.#deps.runId();
    if (this.#runId !== undefined && this.#runId !== runId) this.redisReturned();
    this.#runId = runId;
  }

  async #keepSessions(): Promise<void> {
    const owned = this.#deps.registry.all().flatMap((session) => {
      const { agentId, owner: entry, sessionId, connectedAt, version } = session;
      return entry === null ? [] : [{ session, agentId, entry, sessionId, connectedAt, version }];
    });
    for (const slice of slices(owned, limits.sliceJobsMax)) {
      const words = await this.#deps.keep(slice);
      for (const [at, { session }] of slice.entries()) {
        if (words[at] === 'other') session.end('replaced', replacedRetryMs);
        if (words[at] === 'again') session.doubtFlushed();
      }
      await setImmediate();
    }
  }
}

import { limits } from '../contracts/limits.ts';
import { jobIdOf, partsOfJobId } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Tasks } from '../redis/tasks.ts';
import type { ControlGate } from './control-gate.ts';
import { DispatchQueue, type Slice } from './dispatch-queue.ts';
import { DispatchWindow } from './dispatch-window.ts';
import type { Session } from './session.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { TaskBodies, TaskBody } from './task-bodies.ts';
import type { Turns } from './turns.ts';

type Have = { readonly stdout: number; readonly stderr: number };
type Marked =
  | { readonly kind: 'send'; readonly have: Have }
  | { readonly kind: 'too_late' | 'over' };
type TaskMark = { readonly taskId: string; readonly createdAt: number };

export type DispatcherDeps = {
  readonly registry: SessionRegistry;
  readonly gate: Pick<ControlGate, 'control' | 'isPolicyStopped'>;
  /** Whether no job may start on this host, whatever it is. */
  readonly isHostStopped: (agentId: string) => boolean;
  readonly bodies: TaskBodies;
  readonly turns: Turns;
  readonly jobs: {
    pendingOf(agentIds: readonly string[]): Promise<readonly (readonly string[])[]>;
    markDispatched(of: { readonly taskId: string; readonly agentIds: readonly string[] }): Promise<{
      readonly createdAt: number;
      readonly cancel: string | null;
      readonly jobs: readonly Marked[];
    }>;
    forget(of: { readonly taskId: string; readonly agentIds: readonly string[] }): Promise<void>;
  };
  readonly tasks: Pick<Tasks, 'cancelReason' | 'isOpen'>;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Jobs written and not heard of, of large tasks; `limits.unheardJobsMax` if it is not said. */
  readonly unheardJobsMax?: number;
};

// Two, so that one is written while Redis marks the other.
const slicesAtOnce = 2;
// Beside them, so that one host's command does not wait for slices of hundreds.
const smallJobsMax = 16;
const smallSlicesAtOnce = 8;
const retryMs = 500;

/**
 * Writes pending jobs to links. The queue is Redis (rule R5): waking an agent only says "look". A
 * job is marked as sent before it is written, and written once per session; a new session gets all
 * of them again, the same bytes, and the agent answers from its journal. Tasks take turns in slices,
 * and a large one waits for what its agents say, so that one host's command does not wait for ten
 * thousand others. While control is stopped or missing nothing is written and nothing refused: jobs
 * stay until their `notAfter`. The same for jobs of a stopped policy, and of hosts in a stopped domain.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #queue = new DispatchQueue();
  readonly #window: DispatchWindow;
  /** Agents whose queues are to be looked at, and of them those with a new session. */
  readonly #waiting = new Set<string>();
  readonly #isNew = new Set<string>();
  #underWay = 0;
  #smallUnderWay = 0;
  #isStopped = false;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    const { clock, unheardJobsMax: jobsMax } = deps;
    this.#window = new DispatchWindow({
      ...{ clock, onRoom: () => this.#work() },
      ...(jobsMax === undefined ? {} : { jobsMax }),
    });
  }

  /** Has the agent's queue looked at soon, once for however many calls. Never rejects. */
  wake(agentId: string): void {
    if (this.#deps.registry.get(agentId)?.isReady !== true) return;
    this.#waiting.add(agentId);
    this.#work();
  }

  wakeAll(): void {
    for (const { agentId } of this.#deps.registry.all()) this.wake(agentId);
  }

  /** A new session: what was cancelled is said again, also while stopped, then jobs follow. */
  resync(session: Session): void {
    this.#isNew.add(session.agentId);
    this.wake(session.agentId);
  }

  /**
   * Has the jobs of a task written to the agents that are here. May be repeated: a session that was
   * given a job of this very task is not given it again, one whose task Redis had lost is (rule R6).
   * False if too much waits, and it must be asked again. Rejects when the task cannot be read.
   */
  async begin(of: TaskMark): Promise<boolean> {
    const body = await this.#deps.bodies.body(of.taskId);
    const here = body?.agentIds.filter((id) => this.#deps.registry.get(id) !== undefined) ?? [];
    if (here.length === 0 || this.#isStopped) return true;
    if (this.#queue.isFull) return false;
    this.#queue.add(of, here);
    this.#work();
    return true;
  }

  /** Nothing more is written after this. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
  }

  /** Tells agents to end their jobs of a task; one without a link hears it on its next hello. */
  cancel(of: {
    readonly taskId: string;
    readonly agentIds: readonly string[];
    readonly reason: string;
  }): void {
    for (const agentId of of.agentIds) {
      const session = this.#deps.registry.get(agentId);
      session?.cancel(jobIdOf(of.taskId, agentId), of.reason);
    }
  }

  /** The same for every agent here that was given a job of the task. */
  cancelGiven({ taskId, reason }: { readonly taskId: string; readonly reason: string }): void {
    for (const session of this.#deps.registry.all()) {
      const jobId = jobIdOf(taskId, session.agentId);
      if (session.hasBeenGiven(jobId)) session.cancel(jobId, reason);
    }
  }

  /** Starts as much as may be under way. Each piece ends by calling this again. */
  #work(): void {
    while (!this.#isStopped && (this.#startLook() || this.#startSlice()));
  }

  #startLook(): boolean {
    const mayLook = this.#underWay < slicesAtOnce && !this.#queue.isFull;
    if (this.#waiting.size === 0 || !mayLook) return false;
    const agentIds = [...this.#waiting].slice(0, limits.sliceJobsMax);
    for (const agentId of agentIds) this.#waiting.delete(agentId);
    this.#large(
      this.#look(agentIds).catch((error: unknown) => {
        this.#later(error, () => {
          for (const agentId of agentIds) this.wake(agentId);
        });
      }),
    );
    return true;
  }

  #startSlice(): boolean {
    const mayBeLarge = this.#underWay < slicesAtOnce;
    const mayBeSmall = this.#smallUnderWay < smallSlicesAtOnce;
    const slice = this.#queue.take(limits.sliceJobsMax, (taskId, jobs) => {
      const mayGo = jobs <= smallJobsMax ? mayBeSmall : mayBeLarge;
      return mayGo && this.#window.hasRoom(taskId);
    });
    if (slice === null) return false;
    const given = this.#give(slice).catch((error: unknown) => {
      this.#later(error, () => {
        this.#queue.add(slice, slice.agentIds);
        this.#work();
      });
    });
    if (slice.agentIds.length <= smallJobsMax) this.#small(given);
    else this.#large(given);
    return true;
  }

  /** Counts work that never rejects; others have a turn before the next of its kind. */
  #large(work: Promise<void>): void {
    this.#underWay += 1;
    void work.finally(() => {
      setImmediate(() => {
        this.#underWay -= 1;
        this.#work();
      });
    });
  }

  #small(work: Promise<void>): void {
    this.#smallUnderWay += 1;
    void work.finally(() => {
      this.#smallUnderWay -= 1;
      this.#work();
    });
  }

  #later(error: unknown, again: () => void): void {
    this.#deps.log.warn({ error }, 'jobs could not be sent; tried again');
    this.#deps.clock.after(retryMs, () => !this.#isStopped && again());
  }

  async #look(agentIds: readonly string[]): Promise<void> {
    const pending = await this.#deps.jobs.pendingOf(agentIds);
    const isAllowed = this.#deps.gate.control === 'allowed';
    for (const [at, agentId] of agentIds.entries()) {
      const session = this.#deps.registry.get(agentId);
      if (session === undefined) continue;
      const tasks = (pending[at] ?? []).map((jobId) => partsOfJobId(jobId)?.taskId ?? '');
      // When jobs are sent, the wish to cancel goes with each.
      if (!isAllowed && this.#isNew.has(agentId)) await this.#retell(session, tasks);
      this.#isNew.delete(agentId);
      if (!isAllowed) continue;
      for (const taskId of tasks) this.#queue.add({ taskId, createdAt: 0 }, [agentId]);
    }
  }

  async #retell(session: Session, taskIds: readonly string[]): Promise<void> {
    for (const taskId of taskIds) {
      const reason = await this.#deps.tasks.cancelReason(taskId);
      if (reason !== null) session.cancel(jobIdOf(taskId, session.agentId), reason);
    }
  }

  async #give({ taskId, createdAt, agentIds }: Slice): Promise<void> {
    const { bodies, gate, jobs } = this.#deps;
    const body = await bodies.body(taskId);
    if (body === null) return this.#withoutBody(taskId, agentIds);
    // Looked at just before the mark: the switch may have been thrown meanwhile.
    if (gate.control !== 'allowed') return;
    const sessions = this.#reserved(
      taskId,
      createdAt,
      await this.#unstopped(taskId, body, agentIds),
    );
    if (sessions.length === 0) return;
    const ids = sessions.map(({ agentId }) => agentId);
    try {
      const marked = await jobs.markDispatched({ taskId, agentIds: ids });
      this.#deps.crash('after-mark');
      const onHeard = this.#window.open(taskId, sessions.length);
      const write = (session: Session, at: number) =>
        this.#write(session, { taskId, body, ...marked, marked: marked.jobs[at], onHeard });
      if (sessions.length <= smallJobsMax) sessions.forEach(write);
      else await this.#deps.turns.each(sessions, write);
      this.#deps.crash('after-dispatch');
    } catch (error) {
      for (const session of sessions) session.release(jobIdOf(taskId, session.agentId));
      throw error;
    }
  }

  /** Of a task that Redis lost, and that only its jobs have told of, nothing can be given; but it may have been cancelled. */
  async #withoutBody(taskId: string, agentIds: readonly string[]): Promise<void> {
    const { jobs, tasks } = this.#deps;
    if (!(await tasks.isOpen(taskId))) return jobs.forget({ taskId, agentIds });
    const reason = await tasks.cancelReason(taskId);
    if (reason !== null) this.cancel({ taskId, agentIds, reason });
  }

  /** Those that may be given a job; the others are told again if theirs was cancelled, as on a new link. */
  async #unstopped(
    taskId: string,
    { policy }: TaskBody,
    agentIds: readonly string[],
  ): Promise<readonly string[]> {
    const { gate, tasks } = this.#deps;
    const isStopped = (id: string) => this.#isStoppedFor(policy, id);
    const stopped = agentIds.filter(isStopped);
    if (stopped.length === 0) return agentIds;
    const reason = await tasks.cancelReason(taskId);
    if (reason !== null) this.cancel({ taskId, agentIds: stopped, reason });
    // Looked at again, because the switch may have been thrown meanwhile.
    return gate.control === 'allowed' ? agentIds.filter((id) => !isStopped(id)) : [];
  }

  #isStoppedFor(policy: string | null, agentId: string): boolean {
    const { gate, isHostStopped } = this.#deps;
    return (policy !== null && gate.isPolicyStopped(policy)) || isHostStopped(agentId);
  }

  /** The sessions that have not been given the job; from here on nobody else gives it to them. */
  #reserved(taskId: string, createdAt: number, agentIds: readonly string[]): readonly Session[] {
    return agentIds.flatMap((agentId) => {
      const session = this.#deps.registry.get(agentId);
      const isFree = session?.isReady && session.reserve(jobIdOf(taskId, agentId), createdAt);
      return session !== undefined && isFree ? [session] : [];
    });
  }

  #write(
    session: Session,
    of: {
      readonly taskId: string;
      readonly createdAt: number;
      readonly body: TaskBody;
      readonly cancel: string | null;
      readonly marked: Marked | undefined;
      readonly onHeard: () => void;
    },
  ): void {
    const { agentId } = session;
    const { createdAt, cancel: cancelled, onHeard } = of;
    const jobId = jobIdOf(of.taskId, agentId);
    // Looked at once more: what waited for its turn to be written waits on while all, or its own, is stopped.
    const isStopped =
      this.#deps.gate.control !== 'allowed' || this.#isStoppedFor(of.body.policy, agentId);
    const isSent = of.marked?.kind === 'send' && !isStopped;
    const text = isSent ? of.body.dispatchText(agentId, of.marked.have) : null;
    if (text === null) {
      session.release(jobId);
      onHeard();
    } else session.give({ jobId, createdAt, text, cancelled, onHeard, policy: of.body.policy });
  }
}

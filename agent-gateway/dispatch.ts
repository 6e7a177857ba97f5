import { setImmediate } from 'node:timers/promises';
import { jobIdOf, partsOfJobId } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { ControlGate } from './control-gate.ts';
import type { Session } from './session.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { TaskBodies } from './task-bodies.ts';

type Marked =
  | {
      readonly kind: 'send';
      readonly have: { readonly stdout: number; readonly stderr: number };
      readonly cancel: string | null;
    }
  | { readonly kind: 'too_late' | 'over' };

export type DispatcherDeps = {
  readonly registry: SessionRegistry;
  readonly gate: Pick<ControlGate, 'control'>;
  readonly bodies: TaskBodies;
  readonly jobs: {
    pending(agentId: string): Promise<readonly string[]>;
    markDispatched(of: { taskId: string; agentId: string; now: number }): Promise<Marked>;
    forget(jobId: string): Promise<void>;
  };
  readonly cancelReason: (taskId: string) => Promise<string | null>;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

// A burst of writes blocks heartbeats: 10,000 sends take up to 300 ms of the loop.
const sliceJobs = 256;
const agentsAtOnce = 32;
const retryMs = 500;

/**
 * Writes pending jobs to links. The queue is Redis (rule R5): waking an agent only says "look". A
 * job is marked as sent before it is written, and written once per session; a new session gets all
 * of them again, the same bytes, and the agent answers from its journal. While control is stopped
 * or missing nothing is written and nothing refused: jobs stay until their `notAfter`.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #waiting = new Set<string>();
  readonly #busy = new Set<string>();
  #isStopped = false;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  /** Has the agent's queue looked at soon, once for however many calls. Never rejects. */
  wake(agentId: string): void {
    if (this.#deps.registry.get(agentId) === undefined) return;
    this.#waiting.add(agentId);
    this.#next();
  }

  wakeAll(): void {
    for (const { agentId } of this.#deps.registry.all()) this.wake(agentId);
  }

  /**
   * Wakes the agent for a task that Redis did not have: its job is written also to a session that
   * was given it before Redis lost it (rule R6). The agent answers from its journal.
   */
  begin(taskId: string, agentId: string): void {
    this.#deps.registry.get(agentId)?.ended(jobIdOf(taskId, agentId));
    this.wake(agentId);
  }

  /** Nothing more is written after this. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
  }

  /** Tells the agents of a task to end its jobs; one without a link hears it on its next hello. */
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

  /** A new session: what was cancelled is said again, also while stopped, then jobs follow. */
  resync(session: Session): void {
    this.#retelling(session).catch((error: unknown) => {
      this.#deps.log.warn({ error, agentId: session.agentId }, 'cancels are told again later');
      this.#deps.clock.after(retryMs, () => session.isOpen && this.resync(session));
    });
    this.wake(session.agentId);
  }

  async #retelling(session: Session): Promise<void> {
    for (const jobId of await this.#deps.jobs.pending(session.agentId)) {
      const reason = await this.#deps.cancelReason(partsOfJobId(jobId)?.taskId ?? '');
      if (reason !== null) session.cancel(jobId, reason);
    }
  }

  #next(): void {
    for (const agentId of this.#waiting) {
      if (this.#isStopped || this.#busy.size >= agentsAtOnce) return;
      if (this.#busy.has(agentId)) continue;
      this.#waiting.delete(agentId);
      this.#busy.add(agentId);
      this.#look(agentId)
        .catch((error: unknown) => {
          this.#deps.log.warn({ error, agentId }, 'jobs could not be sent; tried again');
          this.#deps.clock.after(retryMs, () => this.wake(agentId));
        })
        .finally(() => {
          this.#busy.delete(agentId);
          this.#next();
        });
    }
  }

  async #look(agentId: string): Promise<void> {
    const session = this.#deps.registry.get(agentId);
    if (session === undefined || this.#deps.gate.control !== 'allowed') return;
    const pending = await this.#deps.jobs.pending(agentId);
    const fresh = pending.filter((jobId) => !session.hasBeenGiven(jobId));
    for (let from = 0; from < fresh.length; from += sliceJobs) {
      await Promise.all(
        fresh.slice(from, from + sliceJobs).map((jobId) => this.#give(session, jobId)),
      );
      await setImmediate();
    }
  }

  async #give(session: Session, jobId: string): Promise<void> {
    const { bodies, jobs, gate, clock } = this.#deps;
    const taskId = partsOfJobId(jobId)?.taskId ?? '';
    const text = await bodies.jobText(taskId, session.agentId);
    if (text === null) return jobs.forget(jobId);
    // Looked at once more just before the mark: the switch may have been thrown meanwhile.
    if (gate.control !== 'allowed' || !session.isOpen) return;
    const { agentId } = session;
    const marked = await jobs.markDispatched({ taskId, agentId, now: clock.now() });
    if (marked.kind !== 'send') return;
    this.#deps.crash('after-mark');
    session.give({ type: 'dispatch', jobId, ...text, have: marked.have }, marked.cancel);
    this.#deps.crash('after-dispatch');
  }
}

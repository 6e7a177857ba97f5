import type { AgentState, AgentView } from '../contracts/task.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { EnrolledAgent } from './inventory.ts';
import { type Rounds, startRounds } from './rounds.ts';
import type { SessionRegistry } from './session-registry.ts';

/** What is kept of an agent's last session. Times are Unix milliseconds. */
export type KnownSession = {
  readonly sessionId: string;
  readonly gatewayId: string;
  readonly lastSeenAt: number;
  readonly version: string;
};

export type PresenceDeps = {
  readonly registry: SessionRegistry;
  readonly sessions: {
    heard(of: ReadonlyMap<string, number>): Promise<void>;
    read(agentIds: readonly string[]): Promise<readonly (KnownSession | null)[]>;
  };
  readonly gatewayId: string;
  /** The lock on an agent, or null. */
  readonly lockOf: (agentId: string) => AgentView['lock'];
  readonly agentLateMs: number;
  readonly agentOfflineMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

const flushMs = 2_000;
const silentRetryMs = 1_000;

/** Whether agents are there, judged by their last ping alone. */
export class Presence {
  readonly #deps: PresenceDeps;
  readonly #flushed = new Map<string, number>();
  #rounds: Rounds | undefined;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log } = this.#deps;
    const work = () => this.#flush();
    this.#rounds = startRounds({ name: 'presence', ms: flushMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Whether a job could be written to the agent now. */
  isOnline(agentId: string): boolean {
    const session = this.#deps.registry.get(agentId);
    return session?.isOpen === true && this.#stateOf(session.silentMs) === 'online';
  }

  /** The agents as callers see them, in the same order. */
  async views(agents: readonly EnrolledAgent[]): Promise<readonly AgentView[]> {
    const known = await this.#deps.sessions.read(agents.map(({ id }) => id));
    return agents.map((agent, at) => this.#viewOf(agent, known[at] ?? null));
  }

  #viewOf(agent: EnrolledAgent, known: KnownSession | null): AgentView {
    const live = this.#deps.registry.get(agent.id);
    const lastSeenAt = live?.lastSeenAt ?? known?.lastSeenAt ?? null;
    // Of a session of another process only its wall clock is known.
    const silentMs = lastSeenAt === null ? null : this.#deps.clock.now() - lastSeenAt;
    const lock = this.#deps.lockOf(agent.id);
    return {
      ...agent,
      state: lock === null ? this.#stateOf(live?.silentMs ?? silentMs) : 'locked',
      lock,
      gatewayId: live === undefined ? (known?.gatewayId ?? null) : this.#deps.gatewayId,
      sessionId: live?.sessionId ?? null,
      lastSeenAt,
      version: live?.version ?? known?.version ?? null,
    };
  }

  #stateOf(silentMs: number | null): AgentState {
    if (silentMs === null) return 'never_seen';
    if (silentMs >= this.#deps.agentOfflineMs) return 'offline';
    return silentMs >= this.#deps.agentLateMs ? 'late' : 'online';
  }

  /** Writes down who was heard, and ends links on which nobody has spoken for long. */
  async #flush(): Promise<void> {
    const heard = new Map<string, number>();
    for (const session of this.#deps.registry.all()) {
      if (this.#stateOf(session.silentMs) === 'offline') session.end('silent', silentRetryMs);
      if (this.#flushed.get(session.agentId) !== session.lastSeenAt) {
        heard.set(session.agentId, session.lastSeenAt);
      }
    }
    await this.#deps.sessions.heard(heard);
    for (const [agentId, at] of heard) this.#flushed.set(agentId, at);
  }
}

import { setImmediate } from 'node:timers/promises';
import { limits } from '../contracts/limits.ts';
import type { AgentState, AgentView } from '../contracts/task.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { EnrolledAgent } from './inventory.ts';
import { type Rounds, startRounds } from './rounds.ts';
import type { Session } from './session.ts';
import type { SessionRegistry } from './session-registry.ts';

/** What is kept of an agent's last session. Times are Unix milliseconds. */
export type KnownSession = {
  readonly sessionId: string;
  readonly gatewayId: string;
  readonly lastSeenAt: number;
  readonly version: string;
  readonly clockOffsetMs: number | null;
};

type Owner = { readonly sessionId: string; readonly gatewayId: string };

type Known = {
  readonly session: KnownSession;
  readonly silentMs: number;
  /** The gateway that holds its newest session, if it lives. */
  readonly owner: (Owner & { readonly isDraining: boolean }) | null;
};

export type PresenceDeps = {
  readonly registry: SessionRegistry;
  readonly sessions: {
    heard(of: ReadonlyMap<string, number>): Promise<void>;
    sequences(
      of: readonly {
        readonly agentId: string;
        readonly sequence: number;
        readonly owner: string | null;
      }[],
    ): Promise<readonly ('kept' | 'behind')[]>;
    skewed(of: ReadonlyMap<string, number | null>): Promise<void>;
    read(agentIds: readonly string[]): Promise<readonly (KnownSession | null)[]>;
    owners(agentIds: readonly string[]): Promise<readonly (Owner | null)[]>;
  };
  /** Those of the gateways that live. */
  readonly alive: (gatewayIds: readonly string[]) => Promise<ReadonlyMap<string, unknown>>;
  /** Those that are sending their agents away. */
  readonly draining: (gatewayIds: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly gatewayId: string;
  /** The lock on an agent, or null. */
  readonly lockOf: (agentId: string) => AgentView['lock'];
  /** Whether this gateway is sending its agents away. */
  readonly isDraining: () => boolean;
  /** The session's journal is behind what its agent told before it (rule R16). */
  readonly onBehind: (session: Session) => void;
  readonly agentLateMs: number;
  readonly agentOfflineMs: number;
  readonly linkSilentMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

const flushMs = 2_000;
const silentRetryMs = 1_000;
/** So long what an earlier session told may still be on its way to Redis. */
const freshMs = 15_000;

/** Whether agents are there, at whatever gateway, judged by their last ping alone. */
export class Presence {
  readonly #deps: PresenceDeps;
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

  /** Those of the agents to which a job could be written now, by any gateway. */
  async online(agentIds: readonly string[]): Promise<ReadonlySet<string>> {
    const isHere = (id: string) => this.#deps.registry.get(id)?.isOpen === true;
    const online = new Set<string>();
    for (const slice of slices(agentIds, limits.sliceJobsMax)) {
      const elsewhere = await this.#elsewhere(slice.filter((id) => !isHere(id)));
      for (const id of slice) {
        const silentMs = this.#deps.registry.get(id)?.silentMs ?? elsewhere.get(id)?.silentMs;
        const isHeld = isHere(id) || elsewhere.get(id)?.owner;
        if (isHeld && this.#stateOf(silentMs ?? null) === 'online') online.add(id);
      }
    }
    return online;
  }

  /** The agents as callers see them, in the same order. */
  async views(agents: readonly EnrolledAgent[]): Promise<readonly AgentView[]> {
    const elsewhere = await this.#elsewhere(agents.map(({ id }) => id));
    return agents.map((agent) => {
      const live = this.#deps.registry.get(agent.id);
      const known = elsewhere.get(agent.id);
      return live === undefined ? this.#remote(agent, known) : this.#local(agent, live);
    });
  }

  #local(agent: EnrolledAgent, live: Session): AgentView {
    const { sessionId, lastSeenAt, version, clockOffsetMs } = live;
    const { gatewayId, isDraining } = this.#deps;
    const seen = this.#seen(agent.id, { silentMs: live.silentMs, isLeaving: isDraining() });
    return { ...agent, ...seen, gatewayId, sessionId, lastSeenAt, version, clockOffsetMs };
  }

  #remote(agent: EnrolledAgent, known: Known | undefined): AgentView {
    const isLeaving = known?.owner?.isDraining ?? false;
    return {
      ...agent,
      ...this.#seen(agent.id, { silentMs: known?.silentMs ?? null, isLeaving }),
      gatewayId: known?.owner?.gatewayId ?? known?.session.gatewayId ?? null,
      sessionId: known?.owner?.sessionId ?? null,
      lastSeenAt: known?.session.lastSeenAt ?? null,
      version: known?.session.version ?? null,
      clockOffsetMs: known?.session.clockOffsetMs ?? null,
    };
  }

  #seen(
    agentId: string,
    of: { readonly silentMs: number | null; readonly isLeaving: boolean },
  ): Pick<AgentView, 'state' | 'lock'> {
    const lock = this.#deps.lockOf(agentId);
    if (lock !== null) return { state: 'locked', lock };
    const state = this.#stateOf(of.silentMs);
    return { state: state === 'online' && of.isLeaving ? 'draining' : state, lock };
  }

  /** What Redis knows of agents that are not here. Of those only a wall clock tells the silence. */
  async #elsewhere(agentIds: readonly string[]): Promise<ReadonlyMap<string, Known>> {
    const { sessions, alive, draining, clock } = this.#deps;
    const [known, owners] = await Promise.all([sessions.read(agentIds), sessions.owners(agentIds)]);
    const holding = [...new Set(owners.flatMap((owner) => owner?.gatewayId ?? []))];
    const [living, leaving] = await Promise.all([alive(holding), draining(holding)]);
    return new Map(
      agentIds.flatMap((agentId, at) => {
        const session = known[at] ?? null;
        if (session === null) return [];
        const owner = owners[at] ?? null;
        const isHeld = owner !== null && living.has(owner.gatewayId);
        const held = isHeld ? { ...owner, isDraining: leaving.has(owner.gatewayId) } : null;
        const silentMs = clock.now() - session.lastSeenAt;
        return [[agentId, { session, silentMs, owner: held }] as const];
      }),
    );
  }

  #stateOf(silentMs: number | null): AgentState {
    if (silentMs === null) return 'never_seen';
    if (silentMs >= this.#deps.agentOfflineMs) return 'offline';
    return silentMs >= this.#deps.agentLateMs ? 'late' : 'online';
  }

  async #keepSequences(slice: readonly Session[]): Promise<void> {
    // One that Redis has not heard of yet is judged when it is.
    const told = slice.filter(
      (session) =>
        session.isReady &&
        session.hasPinged &&
        (session.sequence !== session.flushedSequence || session.ageMs < freshMs),
    );
    const sent = told.map(({ agentId, sequence, owner }) => ({ agentId, sequence, owner }));
    for (const [at, word] of (await this.#deps.sessions.sequences(sent)).entries()) {
      const session = told[at];
      if (session === undefined) continue;
      if (word === 'behind') this.#deps.onBehind(session);
      else session.flushedSequence = sent[at]?.sequence ?? session.flushedSequence;
    }
  }

  /** Writes down who was heard, in slices, and ends links on which nobody has spoken for long. */
  async #flush(): Promise<void> {
    for (const slice of slices(this.#deps.registry.all(), limits.sliceJobsMax)) {
      const heard = new Map<string, number>();
      const skewed = new Map<string, number | null>();
      for (const session of slice) {
        if (session.silentMs >= this.#deps.linkSilentMs) session.end('silent', silentRetryMs);
        if (session.lastSeenAt !== session.flushedAt) {
          heard.set(session.agentId, session.lastSeenAt);
          session.flushedAt = session.lastSeenAt;
        }
        if (isNews(session)) {
          skewed.set(session.agentId, session.clockOffsetMs);
          session.flushedOffsetMs = session.clockOffsetMs;
        }
      }
      await this.#deps.sessions.heard(heard);
      await this.#deps.sessions.skewed(skewed);
      await this.#keepSequences(slice);
      await setImmediate();
    }
  }
}

/** Whether the offset of a session's clock is another than Redis has; a second more or less is not. */
function isNews({ clockOffsetMs: now, flushedOffsetMs: before }: Session): boolean {
  if (typeof now === 'number' && typeof before === 'number') return Math.abs(now - before) > 1_000;
  return now !== before;
}

import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { guarded } from './unavailable.ts';

const open = script('session-open');
const keep = script('session-keep');
const close = script('session-close');
const keepSequences = script('sequence-keep');

/** The last known session of an agent; it stays after the link is gone. Times are Unix milliseconds. */
export type StoredSession = {
  readonly sessionId: string;
  readonly gatewayId: string;
  readonly connectedAt: number;
  readonly lastSeenAt: number;
  readonly version: string;
  /** Milliseconds that the host's clock is ahead; null if it is right. */
  readonly clockOffsetMs: number | null;
};

/** Who holds an agent's newest session. `entry` is what Redis compares; nobody else reads it. */
export type SessionOwner = {
  readonly sessionId: string;
  readonly gatewayId: string;
  readonly entry: string;
};

type Told = {
  readonly agentId: string;
  readonly sequence: number;
  readonly owner: string | null;
};
type Owned = { readonly agentId: string; readonly entry: string };
type Kept = Owned & Pick<StoredSession, 'sessionId' | 'connectedAt' | 'version'>;

/** Sessions of all gateways (rule R5). Rejects with `upstream_unavailable` only. */
export class Sessions {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * Makes a session the agent's newest. Answers who owned it before, and the owner's entry now; or
   * that its journal is behind what the agent told earlier, and then nothing has changed (rule R16).
   */
  opened(
    agentId: string,
    session: Omit<StoredSession, 'clockOffsetMs'> & { readonly sequence: number },
  ): Promise<
    | { readonly kind: 'opened'; readonly before: SessionOwner | null; readonly entry: string }
    | { readonly kind: 'rolled_back'; readonly highest: number }
  > {
    const { sessionId, gatewayId, connectedAt, lastSeenAt, version, sequence } = session;
    return guarded(async () => {
      const answer = (await open(
        this.#redis,
        [keys.agent.session(agentId), keys.agent.owners, keys.agent.heard, keys.agent.sequences],
        [
          ...[agentId, sessionId, gatewayId, lastSeenAt, sequence, 'sessionId', sessionId],
          ...['gatewayId', gatewayId, 'connectedAt', connectedAt, 'version', version],
        ],
      )) as ['opened', string, string] | ['rolled_back', string]; // The script's two answers.
      return answer[0] === 'opened'
        ? { kind: 'opened', before: ownerOf(answer[1]), entry: answer[2] }
        : { kind: 'rolled_back', highest: Number(answer[1]) };
    });
  }

  /**
   * Keeps the highest sequence numbers that journals have told. By position: `behind` is the newest
   * session of an agent that told a higher one before. May be repeated.
   */
  async sequences(of: readonly Told[]): Promise<readonly ('kept' | 'behind')[]> {
    if (of.length === 0) return [];
    const told = of.flatMap(({ agentId, sequence, owner }) => [agentId, sequence, owner ?? '']);
    const places = [keys.agent.sequences, keys.agent.owners];
    return guarded(async () => (await keepSequences(this.#redis, places, told)) as 'kept'[]);
  }

  /**
   * By position: whether each session of the gateway is still its agent's newest. One that Redis lost is
   * written again and named so, because Redis has lost what was told of its pings, too.
   */
  keep(
    gatewayId: string,
    sessions: readonly Kept[],
  ): Promise<readonly ('mine' | 'again' | 'other')[]> {
    const places = [keys.agent.owners, keys.agent.session('*')];
    const told = sessions.flatMap(({ agentId, entry, sessionId, connectedAt, version }) => [
      ...[agentId, entry, sessionId, connectedAt, version],
    ]);
    return guarded(async () => (await keep(this.#redis, places, [gatewayId, ...told])) as 'mine'[]);
  }

  /** Forgets sessions that are over; newer ones of the same agents stay. May be repeated. */
  async closed(sessions: readonly Owned[]): Promise<void> {
    if (sessions.length === 0) return;
    await guarded(() => close(this.#redis, [keys.agent.owners], flat(sessions)));
  }

  /** By position; null where no gateway holds a session. The gateway named may be dead. */
  owners(agentIds: readonly string[]): Promise<readonly (SessionOwner | null)[]> {
    if (agentIds.length === 0) return Promise.resolve([]);
    return guarded(async () =>
      (await this.#redis.hmget(keys.agent.owners, ...agentIds)).map(ownerOf),
    );
  }

  /** Notes that agents were heard, Unix milliseconds by agent id, in one command. */
  async heard(of: ReadonlyMap<string, number>): Promise<void> {
    if (of.size > 0) await guarded(() => this.#redis.hset(keys.agent.heard, new Map(of)));
  }

  /** Notes how far clocks are off, milliseconds by agent id; null for one that is right again. */
  async skewed(of: ReadonlyMap<string, number | null>): Promise<void> {
    if (of.size === 0) return;
    const step = this.#redis.pipeline();
    for (const [agentId, offsetMs] of of) {
      if (offsetMs === null) step.hdel(keys.agent.clockOffsets, agentId);
      else step.hset(keys.agent.clockOffsets, agentId, offsetMs);
    }
    await guarded(() => step.exec());
  }

  /** By position; null for an agent that was never here. */
  read(agentIds: readonly string[]): Promise<readonly (StoredSession | null)[]> {
    if (agentIds.length === 0) return Promise.resolve([]);
    return guarded(async () => {
      const [heard, offsets, ...rows] = await Promise.all([
        this.#redis.hmget(keys.agent.heard, ...agentIds),
        this.#redis.hmget(keys.agent.clockOffsets, ...agentIds),
        ...agentIds.map((agentId) => this.#redis.hgetall(keys.agent.session(agentId))),
      ]);
      return rows.map((row, at) =>
        row['sessionId'] === undefined
          ? null
          : {
              ...sessionOf(row, Number(heard[at] ?? 0)),
              clockOffsetMs: offsets[at] ? Number(offsets[at]) : null,
            },
      );
    });
  }
}

const flat = (sessions: readonly Owned[]): string[] =>
  sessions.flatMap(({ agentId, entry }) => [agentId, entry]);

/** `{sessionId} {opened} {gatewayId}`, and a gateway's name may hold a space; null of what is none. */
export function ownerOf(entry: string | null): SessionOwner | null {
  const [sessionId, , ...gateway] = (entry ?? '').split(' ');
  return entry && sessionId ? { sessionId, gatewayId: gateway.join(' '), entry } : null;
}

const sessionOf = (
  row: Readonly<Record<string, string>>,
  heardAt: number,
): Omit<StoredSession, 'clockOffsetMs'> => ({
  sessionId: row['sessionId'] ?? '',
  gatewayId: row['gatewayId'] ?? '',
  connectedAt: Number(row['connectedAt'] ?? 0),
  lastSeenAt: Math.max(heardAt, Number(row['connectedAt'] ?? 0)),
  version: row['version'] ?? '',
});

import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import { guarded } from './unavailable.ts';

/** The last known session of an agent; it stays after the link is gone. Times are Unix milliseconds. */
export type StoredSession = {
  readonly sessionId: string;
  readonly gatewayId: string;
  readonly connectedAt: number;
  readonly lastSeenAt: number;
  readonly version: string;
};

/** When agents were last heard, for whoever asks. Rejects with `upstream_unavailable` only. */
export class Sessions {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async opened(agentId: string, session: StoredSession): Promise<void> {
    await guarded(() => this.#redis.hset(keys.agent.session(agentId), session));
  }

  /** Notes that agents were heard; many at once cost one round trip. */
  async heard(of: ReadonlyMap<string, number>): Promise<void> {
    if (of.size === 0) return;
    const step = this.#redis.pipeline();
    for (const [agentId, at] of of) step.hset(keys.agent.session(agentId), 'lastSeenAt', at);
    await guarded(() => step.exec());
  }

  /** By position; null for an agent that was never here. */
  read(agentIds: readonly string[]): Promise<readonly (StoredSession | null)[]> {
    return guarded(() =>
      Promise.all(
        agentIds.map(async (agentId) => {
          const row = await this.#redis.hgetall(keys.agent.session(agentId));
          return row['sessionId'] === undefined ? null : sessionOf(row);
        }),
      ),
    );
  }
}

const sessionOf = (row: Readonly<Record<string, string>>): StoredSession => ({
  sessionId: row['sessionId'] ?? '',
  gatewayId: row['gatewayId'] ?? '',
  connectedAt: Number(row['connectedAt'] ?? 0),
  lastSeenAt: Number(row['lastSeenAt'] ?? 0),
  version: row['version'] ?? '',
});

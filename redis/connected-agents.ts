import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import { ownerOf } from './sessions.ts';
import { guarded } from './unavailable.ts';

/**
 * Those of the agents that a living gateway holds a session of and heard since `sinceMs`, Unix
 * milliseconds. Rejects with `upstream_unavailable` only.
 */
export function connectedAgents(
  redis: Redis,
  of: { readonly agentIds: readonly string[]; readonly sinceMs: number },
): Promise<ReadonlySet<string>> {
  const { agentIds, sinceMs } = of;
  if (agentIds.length === 0) return Promise.resolve(new Set());
  return guarded(async () => {
    const [owners, heard] = await Promise.all([
      redis.hmget(keys.agent.owners, ...agentIds),
      redis.hmget(keys.agent.heard, ...agentIds),
    ]);
    const gateways = owners.map((owner) => ownerOf(owner)?.gatewayId ?? null);
    const named = [...new Set(gateways.filter((gateway) => gateway !== null))];
    const alive = named.length === 0 ? [] : await redis.mget(...named.map(keys.gateway.alive));
    const living = new Set(named.filter((_, at) => (alive[at] ?? null) !== null));
    return new Set(
      agentIds.filter(
        (_, at) => living.has(gateways[at] ?? '') && Number(heard[at] ?? 0) >= sinceMs,
      ),
    );
  });
}

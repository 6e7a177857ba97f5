import { connectRedis } from '../../redis/connect.ts';
import { keys } from '../../redis/keys.ts';

/**
 * Whether repairs are planned on an agent: it is in the inventory, which follows its enrolment within a
 * second. Before that an alert about its host is held for naming none that is enrolled.
 */
export async function isPlannable(redisUrl: string, agentId: string): Promise<boolean> {
  const redis = connectRedis({ url: redisUrl, profile: 'background', onError: () => {} });
  try {
    return (await redis.hexists(keys.inventory.agents, agentId)) === 1;
  } finally {
    redis.disconnect();
  }
}

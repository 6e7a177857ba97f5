import type { Redis } from 'ioredis';

type Copy = ReadonlyMap<string, Buffer>;

/** What a replica has of Redis at this moment. */
export async function replicaOf(redis: Redis): Promise<Copy> {
  const copy = new Map<string, Buffer>();
  for (const key of await redis.keys('*')) {
    const value = await redis.dumpBuffer(key);
    if (value !== null) copy.set(key, value);
  }
  return copy;
}

/**
 * Puts the replica in the place of Redis: whatever was written since is lost, in one step, and every
 * client but this one is cut off and comes back.
 */
export async function failOver(redis: Redis, replica: Copy): Promise<void> {
  const step = redis.multi().flushall();
  for (const [key, value] of replica) step.restore(key, 0, value);
  for (const [error] of (await step.exec()) ?? []) if (error !== null) throw error;
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal');
}

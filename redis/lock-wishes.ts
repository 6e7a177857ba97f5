import type { Redis } from 'ioredis';
import { z } from 'zod';
import { agentId } from '../contracts/task.ts';
import { keys } from './keys.ts';
import { guarded } from './unavailable.ts';

const wish = z.object({ reason: z.string(), at: z.int() });
export type LockWish = z.infer<typeof wish> & { readonly agentId: string };

/**
 * Agents that a gateway found out and that the control workflow is to lock: written by gateways,
 * turned into locks and removed by the janitor. Rejects with `upstream_unavailable` only.
 */
export class LockWishes {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Keeps the first wish about an agent. `at` is Unix milliseconds. */
  async write({ agentId: id, reason, at }: LockWish): Promise<void> {
    const text = JSON.stringify({ reason, at });
    await guarded(() => this.#redis.hsetnx(keys.governor.lockWishes, id, text));
  }

  /** In no order; an entry that cannot be read is a wish without a reason. */
  async all(): Promise<readonly LockWish[]> {
    const entries = await guarded(() => this.#redis.hgetall(keys.governor.lockWishes));
    return Object.entries(entries)
      .filter(([id]) => agentId.safeParse(id).success)
      .map(([id, text]) => ({ agentId: id, ...wishOf(text) }));
  }

  async remove(id: string): Promise<void> {
    await guarded(() => this.#redis.hdel(keys.governor.lockWishes, id));
  }
}

function wishOf(text: string): z.infer<typeof wish> {
  try {
    return wish.parse(JSON.parse(text));
  } catch {
    return { reason: 'unreadable', at: 0 }; // Whatever it said, somebody wanted the agent locked.
  }
}

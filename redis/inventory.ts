import type { Redis } from 'ioredis';
import { z } from 'zod';
import { journalId } from '../contracts/task.ts';
import type { InventoryAgent } from '../domain/target-selection.ts';
import { keys } from './keys.ts';
import { guarded } from './unavailable.ts';

const enrolled = z.object({
  journalId,
  labels: z.array(z.tuple([z.string(), z.string()])),
});

/**
 * The enrolled agents as Redis has them, and whether these are all of them (rule X5). An entry
 * that cannot be read makes the inventory incomplete: partial never means all (invariant 6).
 */
export function readInventory(
  redis: Redis,
): Promise<{ readonly complete: boolean; readonly agents: readonly InventoryAgent[] }> {
  return guarded(async () => {
    const [agents, complete] = await Promise.all([
      redis.hgetall(keys.inventory.agents),
      redis.hget(keys.inventory.meta, 'complete'),
    ]);
    const read = Object.entries(agents).map(([agentId, text]) => agentOf(agentId, text));
    return {
      complete: complete === '1' && !read.includes(null),
      agents: read.filter((agent) => agent !== null),
    };
  });
}

/**
 * Reads the inventory, and keeps what it read for as long as its version stands: every admission asks,
 * and 10,000 agents are 3 MB.
 */
export function keptInventory(redis: Redis): () => ReturnType<typeof readInventory> {
  let kept:
    | { readonly version: string; readonly inventory: Awaited<ReturnType<typeof readInventory>> }
    | undefined;
  return async () => {
    const version = await inventoryVersion(redis);
    if (version !== null && kept?.version === version) return kept.inventory;
    const inventory = await readInventory(redis);
    // One that changed while it was read is read again next time.
    const isStill = version !== null && (await inventoryVersion(redis)) === version;
    kept = isStill && inventory.complete ? { version, inventory } : undefined;
    return inventory;
  };
}

function agentOf(agentId: string, text: string): InventoryAgent | null {
  try {
    const { journalId: journal, labels } = enrolled.parse(JSON.parse(text));
    return { agentId, journalId: journal, labels: new Map(labels) };
  } catch {
    return null; // Counted by the caller as an inventory that is not whole.
  }
}

/** Which register the inventory was rebuilt from, or null while it is not complete. */
export const inventoryVersion = (redis: Redis): Promise<string | null> =>
  guarded(async () => {
    const [complete, version] = await redis.hmget(keys.inventory.meta, 'complete', 'version');
    return complete === '1' ? (version ?? null) : null;
  });

/** Replaces the inventory in one step; `complete` is set with it, never before (rule X5). */
export function writeInventory(
  redis: Redis,
  of: { readonly version: string; readonly agents: readonly InventoryAgent[] },
): Promise<void> {
  return guarded(async () => {
    const step = redis.multi().del(keys.inventory.agents);
    for (const { agentId, journalId: journal, labels } of of.agents) {
      const text = JSON.stringify({ journalId: journal, labels: [...labels] });
      step.hset(keys.inventory.agents, agentId, text);
    }
    await step.hset(keys.inventory.meta, { complete: '1', version: of.version }).exec();
  });
}

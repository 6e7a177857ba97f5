import { z } from 'zod';
import { limits } from './limits.ts';
import { agentId, taskId } from './task.ts';

/**
 * What gateways tell each other by Redis channels. A message is only a wake-up: whoever misses one
 * finds the same in Redis at its next look (rule R5), so none is kept and none is repeated.
 */
export const wakeMessage = z.discriminatedUnion('kind', [
  /** Agents of the receiver have jobs of a task, created at that Unix millisecond. */
  z.object({ kind: z.literal('task'), taskId, createdAt: z.int() }),
  /** These agents of the receiver are to end their jobs of a task. */
  z.object({
    kind: z.literal('cancel'),
    taskId,
    reason: z.string().max(64),
    agentIds: z.array(agentId).max(limits.sliceJobsMax),
  }),
  /** The agent has a newer session elsewhere; any but that one is over. */
  z.object({ kind: z.literal('replaced'), agentId, sessionId: z.string().max(64) }),
]);
export type WakeMessage = z.infer<typeof wakeMessage>;

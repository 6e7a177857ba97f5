import { z } from 'zod';

const address = z.object({ url: z.url() });

/**
 * `.fixpoint/run.json`: where the embedded product runs, and the operator's token (names.md). It is
 * written with mode 0600 and is there only while the product runs, or after it was killed.
 */
export const runFile = z.object({
  pid: z.int().positive(),
  pids: z.record(z.string(), z.int().positive()),
  token: z.string().min(16),
  api: address,
  gateway: address,
  agentLink: address.optional(),
  metrics: z.record(z.string(), z.string()).optional(),
  temporal: z.object({ address: z.string(), ui: z.string().nullish() }),
  redis: address.optional(),
});
export type RunFile = z.infer<typeof runFile>;

import { z } from 'zod';
import { quarantined } from '../contracts/alert.ts';
import { pageOf, type remediationProgress } from '../contracts/http.ts';
import { jobRow } from '../contracts/task.ts';

export type Progress = z.infer<typeof remediationProgress>;

export const jobsPage = pageOf(jobRow);
export const quarantinedPage = pageOf(quarantined.extend({ id: z.string() }));

export const controlState = z.object({
  revision: z.int(),
  stopped: z.boolean(),
  reason: z.string(),
  by: z.string(),
  at: z.int(),
  stops: z
    .array(
      z.object({
        scope: z.union([z.object({ policy: z.string() }), z.object({ domain: z.string() })]),
        reason: z.string(),
        by: z.string(),
        at: z.int(),
      }),
    )
    .default([]),
  locked: z
    .array(z.object({ agentId: z.string(), reason: z.string(), by: z.string(), at: z.int() }))
    .default([]),
  breakers: z
    .array(
      z.object({
        ...{ policy: z.string(), reason: z.string(), by: z.string() },
        ...{ at: z.int(), untilMs: z.int() },
        canary: z.object({ remediationId: z.string(), at: z.int() }).nullable(),
      }),
    )
    .default([]),
});

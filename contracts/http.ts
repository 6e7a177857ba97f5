import { z } from 'zod';

/** Body of every refusal, `application/problem+json`. `message` never holds a secret. */
export const problem = z.object({
  code: z.string(),
  message: z.string(),
  flaws: z
    .array(z.object({ field: z.string(), value: z.string().optional(), fix: z.string() }))
    .optional(),
  hint: z.string().optional(),
});
export type Problem = z.infer<typeof problem>;

/** Answer to a webhook: how many entries were kept, repeated, and why others were not usable. */
export const webhookAnswer = z.object({
  received: z.int(),
  accepted: z.int(),
  duplicate: z.int(),
  quarantined: z.array(
    z.object({
      /** Position in `alerts`, or −1 for the body as a whole. */
      index: z.int(),
      field: z.string(),
      value: z.string(),
      reason: z.string(),
    }),
  ),
});
export type WebhookAnswer = z.infer<typeof webhookAnswer>;

/** Body of `POST /v1/remediations/:id/cancel` and of `PUT /v1/control`. */
export const cancelBody = z.object({ reason: z.string().max(500).default('') });
export const controlBody = z.object({
  stopped: z.boolean(),
  reason: z.string().max(500).default(''),
  /** Claimed, beside the credential; gives no right (invariant 9). */
  operator_name: z.string().max(200).optional(),
});

/** One row of `GET /v1/remediations`, newest first. */
export const remediationRow = z.object({
  id: z.string(),
  state: z.string(),
  policy: z.string(),
  runbook: z.string(),
  group: z.string(),
  severity: z.string(),
  hosts: z.int(),
  hostsFailed: z.int(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  runId: z.string(),
});
export type RemediationRow = z.infer<typeof remediationRow>;

/** Body of `POST /v1/policies/test`: labels of a made-up alert. */
export const policyTestBody = z.object({
  source: z.string().default('alertmanager'),
  status: z.enum(['firing', 'resolved']).default('firing'),
  labels: z.record(z.string(), z.string()),
});

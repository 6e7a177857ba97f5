import { z } from 'zod';
import { fate, labelPair } from './alert.ts';
import { limits } from './limits.ts';

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

/** Body of `POST /v1/remediations/:id/{reject,pause,resume,confirm-batch}`. */
export const actionBody = z.object({
  reason: z
    .string()
    .max(500)
    .refine((text) => text.trim() !== '', { error: 'must say why' }),
  /** Claimed, as below. */
  operator_name: z.string().max(200).optional(),
});
/** Body of `POST /v1/remediations/:id/approve`. */
export const approveBody = z.object({
  reason: z.string().max(500).default(''),
  /** Of the plan that was looked at, or its first 12 digits or more. */
  digest: z
    .string()
    .regex(/^(sha256:)?[0-9a-fA-F]{12,64}$/, { error: 'must be at least 12 digits of the plan' })
    .optional(),
  /** Claimed, as below. */
  operator_name: z.string().max(200).optional(),
});
/** Answer to these: the request is kept in the repair's history. */
export const remediationAction = z.object({
  id: z.string(),
  state: z.string(),
  /** The repair's own word, where it says something. */
  answer: z.string().optional(),
});

/** Body of `POST /v1/remediations/:id/cancel` and of `PUT /v1/control`. */
export const cancelBody = z.object({
  reason: z.string().max(500).default(''),
  /** Claimed, as below. */
  operator_name: z.string().max(200).optional(),
});
export const controlBody = z
  .object({
    stopped: z.boolean(),
    /** Only a stop of everything may go without: it may be in a hurry. */
    reason: z.string().max(500).default(''),
    /** Of these at most one; neither is everything. */
    policy: z.string().min(1).max(200).optional(),
    domain: z
      .string()
      .max(limits.labelNameBytes + limits.agentLabelValueBytes)
      .regex(/^[^=\s]+=.+$/, { error: 'must be a label of agents and its value, as zone=eu-1' })
      .optional(),
    /** Claimed, beside the credential; gives no right (invariant 9). */
    operator_name: z.string().max(200).optional(),
  })
  .refine(({ policy, domain }) => policy === undefined || domain === undefined, {
    path: ['domain'],
    error: 'name a policy or a domain, not both; stop them one after the other',
  })
  .refine(
    ({ stopped, policy, domain, reason }) =>
      reason.trim() !== '' || (stopped && policy === undefined && domain === undefined),
    { path: ['reason'], error: 'say why, so that others can judge whether it still holds' },
  );
export type ControlBody = z.infer<typeof controlBody>;

/** Body of `PUT /v1/control/agents/:agentId`. */
export const agentLockBody = z.object({
  locked: z.boolean(),
  reason: z.string().max(500).default(''),
  /** Claimed, as above. */
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

/** A line of `GET /v1/escalations`. */
export const escalationRow = z.object({
  id: z.string(),
  state: z.string(),
  remediationId: z.string(),
  policy: z.string(),
  /** Why nobody took it. */
  reason: z.string().nullable(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
});
export type EscalationRow = z.infer<typeof escalationRow>;

/** `GuardStanding` of guard-standing.ts, which stays free of zod. */
export const guardStanding = z.object({
  guard: z.string(),
  limit: z.string(),
  use: z.string(),
  slack: z.string().nullable(),
  holds: z.boolean(),
  untilMs: z.number().nullable(),
  remedy: z.string(),
});

/** Body of `POST /v1/policies/test`: labels of a made-up alert, or a body as Alertmanager sends it. */
export const policyTestBody = z
  .object({
    source: z.string().default('alertmanager'),
    status: z.enum(['firing', 'resolved']).default('firing'),
    labels: z.record(z.string(), z.string()).optional(),
    /** Then the answer also tells what would be done with its alerts; everything else is left aside. */
    body: z.looseObject({}).optional(),
  })
  .refine(({ labels, body }) => labels !== undefined || body !== undefined, {
    path: ['labels'],
    error: 'give labels, or a whole body',
  });

/** A page of a listing, newest first; `next` is the cursor of the following page, null on the last. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable() });

/** `RemediationProgress` of temporal.ts, which stays free of zod. */
export const remediationProgress = z.object({
  remediationId: z.string(),
  policy: z.string(),
  runbook: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  hosts: z.int(),
  hostsFailed: z.int(),
  episodes: z.array(z.object({ id: z.string(), name: z.string(), open: z.boolean() })),
  steps: z.array(
    z.object({
      name: z.string(),
      batches: z.array(
        z.object({
          batch: z.int(),
          attempt: z.int(),
          letters: z.string(),
          taskKey: z.string(),
          probe: z.literal(true).optional(),
        }),
      ),
    }),
  ),
  targets: z.array(
    z.object({
      agentId: z.string(),
      name: z.string().nullable(),
      letter: z.string(),
      step: z.string().optional(),
    }),
  ),
  /** What it would do, where it stopped before that for people to look. */
  outlook: z
    .object({
      steps: z.array(z.object({ name: z.string(), batches: z.array(z.int()) })),
      domains: z.array(
        z.object({ name: z.string(), hosts: z.int(), agents: z.int(), cap: z.int().nullable() }),
      ),
    })
    .optional(),
  /** Who is asked to approve it, or was; `ApprovalView` of temporal.ts. */
  approval: z
    .object({
      approvers: z.int(),
      given: z.array(z.string()),
      untilMs: z.number().nullable(),
      digest: z.string(),
      hosts: z.int(),
      added: z.array(z.string()).optional(),
      notBy: z.array(z.string()),
    })
    .optional(),
  /** What operators decided, oldest first; `at` is Unix milliseconds. */
  decisions: z
    .array(
      z.object({
        action: z.string(),
        by: z.string(),
        reason: z.string(),
        at: z.number(),
        claimed: z.string().optional(),
        via: z.enum(['api', 'temporal']).optional(),
      }),
    )
    .optional(),
});

/** `GET /v1/remediations/:id`: the row of the listing and the workflow's own word. */
export const remediationDetail = remediationRow.extend({ progress: remediationProgress });
export type RemediationDetail = z.infer<typeof remediationDetail>;

/** `GET /v1/alerts/:deliveryId`: `DeliveryRecord` of delivery.ts. */
export const deliveryView = z.object({
  deliveryId: z.string(),
  source: z.string(),
  fingerprint: z.string(),
  name: z.string(),
  status: z.enum(['firing', 'resolved']),
  startsAt: z.string(),
  receivedAt: z.string(),
  outcomes: z.array(
    z.object({
      fate,
      policy: z.string().nullable(),
      mailboxId: z.string().nullable(),
      detail: z.string().optional(),
    }),
  ),
  labels: z.array(labelPair),
  /** How often the same delivery came again. */
  duplicates: z.int().optional(),
  /**
   * Of one delivery only: where the guards of its mailboxes stand now; `guards` is null where a mailbox
   * cannot be asked, because it has closed or Temporal or its worker is away.
   */
  mailboxes: z
    .array(z.object({ id: z.string(), guards: z.array(guardStanding).nullable() }))
    .optional(),
});
export type DeliveryView = z.infer<typeof deliveryView>;

/** What the alerts of a group would begin. Nothing was started. */
export const policyPlan = z.object({
  policy: z.string(),
  runbook: z.string(),
  groupId: z.string(),
  alerts: z.int(),
  /** `waits`: some guard holds it now; `held`: it would end held. */
  outcome: z.enum(['starts', 'waits', 'held']),
  /** Of one that does not start: the refusal with its figures, or the guards that hold it. */
  reason: z.string().nullable(),
  hosts: z.int(),
  /** At most `limits.pageMax` of them, and why each is meant. */
  targets: z.array(z.object({ agentId: z.string(), name: z.string(), because: z.string() })),
  /** Labels that named no agent, for `onMissing: skip`. */
  skipped: z.array(z.string()),
  /** How many hosts each batch of each step has. */
  steps: z.array(z.object({ name: z.string(), batches: z.array(z.int()) })),
  guards: z.array(guardStanding),
});
export type PolicyPlan = z.infer<typeof policyPlan>;

/** Answer of `POST /v1/policies/test`: every policy in file order, and why it took the alert or not. */
export const policyTestAnswer = z.object({
  items: z.array(
    z.object({
      policy: z.string(),
      runbook: z.string(),
      /** `not_asked`: a policy before it took the alert and does not continue. */
      verdict: z.enum(['taken', 'source', 'matcher', 'not_asked']),
      /** The first matcher that failed. */
      matcher: z.string().nullable(),
      groupId: z.string(),
      /** How hosts are found, in words: `label instance (without port) is the agent's hostname`. */
      targets: z.string(),
    }),
  ),
  /** Of a whole body: what each policy makes of each alert, and what they would begin. */
  alerts: z
    .array(
      z.object({
        name: z.string(),
        fingerprint: z.string(),
        status: z.string(),
        verdicts: z.array(
          z.object({ policy: z.string(), verdict: z.string(), detail: z.string().nullable() }),
        ),
      }),
    )
    .optional(),
  plans: z.array(policyPlan).optional(),
});
export type PolicyTestAnswer = z.infer<typeof policyTestAnswer>;

/**
 * `/readyz?verbose`: 200 when the program can do its work, else 503. A check of the api may fail
 * without that: a Temporal that is away stops no webhook. `detail` never holds a secret.
 */
export const readiness = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});
export type Readiness = z.infer<typeof readiness>;

import { z } from 'zod';
import { limits } from './limits.ts';
import { resourceName, rolloutBatches } from './runbook.ts';
import { cap } from './share.ts';

const agentName = z.string().min(1).max(253);

/**
 * Body of `POST /v1/remediations` and `…/plan`: a runbook by hand, on hosts that are named or on those
 * whose labels satisfy all matchers.
 */
export const manualRunBody = z
  .strictObject({
    runbook: resourceName,
    /** Agents by id or name; each must be enrolled. */
    hosts: z.array(agentName).min(1).max(limits.targetsMax).optional(),
    select: z.array(z.string().min(1).max(4096)).min(1).max(32).optional(),
    /** For `${labels.x}` in the runbook. */
    labels: z.record(z.string().max(limits.labelNameBytes), z.string()).default({}),
    /** In place of what the steps say. */
    batches: rolloutBatches.optional(),
    blastRadius: cap.optional(),
    domainBy: z.array(z.string().min(1).max(limits.labelNameBytes)).min(1).max(4).optional(),
    /** How many others must approve it; 0: it begins at once. */
    approvers: z.int().min(0).max(limits.approversMax).default(0),
    /** The caller’s own name for the run: the same name is the same run, started once. */
    id: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'must be 1 to 64 of letters, digits, _ and -' })
      .optional(),
    reason: z.string().max(500).default(''),
    /** Claimed, beside the credential; gives no right (invariant 9). */
    operator_name: z.string().max(200).optional(),
  })
  .refine(({ hosts, select }) => (hosts === undefined) !== (select === undefined), {
    path: ['hosts'],
    error: 'say which hosts: exactly one of "hosts" and "select"',
  });
export type ManualRun = z.infer<typeof manualRunBody>;

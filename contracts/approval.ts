import { z } from 'zod';
import { duration } from './duration.ts';
import { limits } from './limits.ts';

/** Who must approve a repair, and for how long they are asked; only where `autonomy` is `approve`. */
export const approvalSpec = z.strictObject({
  /** Persons; one who approves twice counts once. */
  approvers: z.int().min(1).max(limits.approversMax).default(1),
  expires: duration
    .refine((ms) => ms >= 60_000 && ms <= limits.approvalLongestMs, {
      error: 'must be from 1m to 30d',
    })
    .default(limits.approvalExpiresMs),
  /** Who may not approve, by the names of their credentials: the authors of the change. */
  notBy: z.array(z.string().min(1).max(limits.operatorNameMax)).max(16).default([]),
});

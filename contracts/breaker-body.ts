import { z } from 'zod';
import { limits } from './limits.ts';

/** Body of `PUT /v1/control/breakers/:policy`. */
export const breakerBody = z
  .object({
    open: z.boolean(),
    reason: z
      .string()
      .max(500)
      .refine((text) => text.trim() !== '', {
        error: 'say why, so that others can judge whether it still holds',
      }),
    /** How long nothing may start before one repair tries; absent: `limits.breakerOpenMs`. */
    openForMs: z.int().min(1).max(limits.breakerOpenMsMax).optional(),
    /** Claimed, beside the credential; gives no right (invariant 9). */
    operator_name: z.string().max(200).optional(),
  })
  .refine(({ open, openForMs }) => open || openForMs === undefined, {
    path: ['openForMs'],
    error: 'is only for opening one; leave it out',
  });

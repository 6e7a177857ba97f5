import { z } from 'zod';
import { workflowTypes } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';

const idParams = z.object({ id: z.string().min(1).max(1000) });

/** Only repairs: the same Temporal namespace may hold workflows of others. */
export function idOf(params: unknown): string {
  const parsed = idParams.safeParse(params);
  if (parsed.success && parsed.data.id.startsWith(`${workflowTypes.remediation}:`)) {
    return parsed.data.id;
  }
  throw new FixpointError('not_found', 'there is no such remediation', {
    hint: 'ids look like remediation:<policy>:<group>:<run>; see `fixpoint remediation ls`',
  });
}

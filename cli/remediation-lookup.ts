import {
  pageOf,
  type RemediationDetail,
  type RemediationRow,
  remediationDetail,
  remediationRow,
} from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Client } from './client.ts';

/** One repair as it stands; throws `not_found` for an id that never was. */
export const remediationOf = (api: Client, id: string): Promise<RemediationDetail> =>
  api.get(`/v1/remediations/${encodeURIComponent(id)}`, remediationDetail);

/** The newest repair, or null before the first. */
export async function findNewest(api: Client): Promise<RemediationRow | null> {
  const { items } = await api.get('/v1/remediations?limit=1', pageOf(remediationRow));
  return items[0] ?? null;
}

/** The newest repair; throws `not_found` before the first. */
export async function newestRemediation(api: Client): Promise<RemediationRow> {
  const newest = await findNewest(api);
  if (newest !== null) return newest;
  throw new FixpointError('not_found', 'there is no remediation yet', {
    hint: 'if you sent an alert, see what became of it: fixpoint alert ls',
  });
}

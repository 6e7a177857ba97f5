import {
  pageOf,
  type RemediationDetail,
  type RemediationRow,
  remediationDetail,
  remediationRow,
} from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Client } from './client.ts';
import { isEnded } from './outcome.ts';

/**
 * One repair as it stands; throws `not_found` for an id that never was. A run that was ended from
 * outside still says that it runs; then Temporal's word for it counts.
 */
export async function remediationOf(api: Client, id: string): Promise<RemediationDetail> {
  const path = `/v1/remediations/${encodeURIComponent(id)}`;
  const detail = await api.get(path, remediationDetail);
  const { endedAt, progress, state } = detail;
  if (endedAt === null || isEnded(progress.state)) return detail;
  return { ...detail, progress: { ...progress, state, reason: 'ended in Temporal' } };
}

/** The newest repair, or null before the first. */
export async function findNewest(api: Client): Promise<RemediationRow | null> {
  // Temporal gives open ones first, so the newest of all is looked for among some.
  const { items } = await api.get('/v1/remediations?limit=20', pageOf(remediationRow));
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

import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { EscalationRow } from '../contracts/http.ts';
import { limits } from '../contracts/limits.ts';
import { workflowIds, workflowTypes } from '../contracts/temporal.ts';
import { attributeKeys as attributes } from '../platform/search-attributes.ts';
import { queryOf } from './body.ts';
import { newestRows } from './newest-rows.ts';
import { callTemporal, type TemporalDeps } from './temporal-call.ts';

const listMs = 5_000;
const listQuery = z.object({
  state: z.enum(['sending', 'sent', 'dead']).optional(),
  limit: z.coerce.number().int().min(1).max(limits.pageMax).default(limits.pageDefault),
});

/** Who was told of which repair, and of which nobody was: those that are `dead`. */
export function escalationRoutes(app: FastifyInstance, deps: TemporalDeps): void {
  app.get('/v1/escalations', async (request) => {
    const items = await callTemporal(deps, listMs, () => list(deps, queryOf(request, listQuery)));
    return { items, next: null };
  });
}

function list(
  { client }: TemporalDeps,
  { state, limit }: z.output<typeof listQuery>,
): Promise<readonly EscalationRow[]> {
  const conditions = [
    `WorkflowType = "${workflowTypes.escalation}"`,
    ...(state === undefined ? [] : [`FixpointState = "${state}"`]),
  ];
  return newestRows(client, { conditions, limit }, rowOf);
}

function rowOf(info: WorkflowExecutionInfo): EscalationRow {
  const text = (key: typeof attributes.state) => info.typedSearchAttributes.get(key) ?? '';
  const reason = info.memo?.['reason'];
  const status = info.status.name;
  const endedByItself = status === 'RUNNING' || status === 'COMPLETED';
  return {
    id: info.workflowId,
    // One that Temporal ended from outside told nobody.
    state: endedByItself ? text(attributes.state) : 'dead',
    remediationId: info.workflowId.slice(workflowIds.escalation('').length),
    policy: text(attributes.policy),
    reason: typeof reason === 'string' ? reason : null,
    startedAt: info.startTime.toISOString(),
    endedAt: info.closeTime?.toISOString() ?? null,
  };
}

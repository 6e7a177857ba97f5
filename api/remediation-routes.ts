import type { Client } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RemediationRow } from '../contracts/http.ts';
import { limits } from '../contracts/limits.ts';
import { resourceName } from '../contracts/runbook.ts';
import { queryNames, type RemediationProgress, workflowTypes } from '../contracts/temporal.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { queryOf } from './body.ts';
import { newestRows } from './newest-rows.ts';
import { remediationActions } from './remediation-actions.ts';
import { idOf } from './remediation-id.ts';
import { remediationRowOf } from './remediation-row.ts';
import { callTemporal } from './temporal-call.ts';

export type RemediationDeps = {
  readonly client: Client;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly crash: CrashPoints<'api'>;
};

const callMs = 10_000;
const listMs = 5_000;
const listQuery = z.object({
  state: z
    .string()
    .regex(/^[a-z_]{1,32}$/)
    .optional(),
  policy: resourceName.optional(),
  limit: z.coerce.number().int().min(1).max(limits.pageMax).default(limits.pageDefault),
});

/** Repairs as Temporal knows them: lists come from its visibility, a run's story from the run. */
export function remediationRoutes(app: FastifyInstance, deps: RemediationDeps): void {
  app.get('/v1/remediations', async (request) => {
    const items = await callTemporal(deps, listMs, () => list(deps, queryOf(request, listQuery)));
    return { items, next: null };
  });
  app.get('/v1/remediations/:id', async (request) => {
    const id = idOf(request.params);
    return callTemporal(deps, callMs, () => show(deps, id));
  });
  remediationActions(app, deps);
}

async function list(
  deps: RemediationDeps,
  of: z.output<typeof listQuery>,
): Promise<RemediationRow[]> {
  // Each value was checked to hold nothing that a query could be made of.
  const conditions = [
    `WorkflowType = "${workflowTypes.remediation}"`,
    // A run that continued as new is one repair, told by its latest run.
    'ExecutionStatus != "ContinuedAsNew"',
    ...(of.state === undefined ? [] : [`FixpointState = "${of.state}"`]),
    ...(of.policy === undefined ? [] : [`FixpointPolicy = "${of.policy}"`]),
  ];
  return newestRows(deps.client, { conditions, limit: of.limit }, remediationRowOf);
}

export async function show(
  deps: RemediationDeps,
  id: string,
): Promise<RemediationRow & { readonly progress: RemediationProgress }> {
  const handle = deps.client.workflow.getHandle(id);
  const row = remediationRowOf(await handle.describe());
  const progress = await handle.query<RemediationProgress>(queryNames.progress);
  // Visibility follows the run with a delay; the run's own word is newer.
  const { state, hosts, hostsFailed } = progress;
  const isOpen = row.endedAt === null;
  return { ...row, ...(isOpen ? { state } : {}), hosts, hostsFailed, progress };
}

import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ControlState } from '../contracts/control.ts';
import { type Clocks, limits } from '../contracts/limits.ts';
import { type ManualRun, manualRunBody } from '../contracts/manual-run.ts';
import { type RemediationInput, workflowIds, workflowTypes } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import { ulidOf } from '../domain/ulid.ts';
import { digestOf } from '../platform/frozen-runbook.ts';
import { manualRemediation } from '../platform/manual-run.ts';
import type { PolicySet } from '../platform/policy-files.ts';
import { startOptionsOf } from '../platform/remediation-start.ts';
import { bodyOf } from './body.ts';
import { audited } from './operator-actions.ts';
import { permitted } from './operator-identity.ts';
import { type RemediationDeps, show } from './remediation-routes.ts';
import { callTemporal } from './temporal-call.ts';

export type ManualRunDeps = RemediationDeps & {
  readonly policies: PolicySet;
  readonly control: { read(): Promise<ControlState | null> };
  readonly clocks: Clocks;
  readonly callbackUrl: string;
  readonly approvalsFromTemporal: boolean;
};

const callMs = 10_000;
/** A plan is a workflow of its own, which reads the whole inventory. */
const planMs = 15_000;

/** Runbooks by hand: what one would do, and doing it, under the guards of every repair. */
export function manualRunRoutes(app: FastifyInstance, deps: ManualRunDeps): void {
  app.post('/v1/remediations/plan', async (request) => {
    const asked = bodyOf(request, manualRunBody);
    const actor = permitted(request, 'plan', asked.operator_name);
    const name = `plan-${ulidOf(deps.clock.now(), deps.clock.randomBytes(10))}`;
    const input = inputOf(deps, { asked, startedBy: actor.credential, name, isPlanOnly: true });
    return callTemporal(deps, planMs, async () => {
      const handle = await startWorkflow(deps.client, input, digestOf(asked));
      await handle.result();
      return show(deps, input.remediationId);
    });
  });
  app.post('/v1/remediations', async (request, reply) => {
    const started = await start(deps, request);
    return reply.code(started.isNew ? 201 : 200).send({ id: started.id, state: started.state });
  });
}

async function start(deps: ManualRunDeps, request: FastifyRequest) {
  const asked = bodyOf(request, manualRunBody);
  const actor = permitted(request, 'start', asked.operator_name);
  const { id: given, operator_name: _, ...wish } = asked;
  const name = given ?? ulidOf(deps.clock.now(), deps.clock.randomBytes(10));
  const input = inputOf(deps, { asked, startedBy: actor.credential, name, isPlanOnly: false });
  const { remediationId: id, runbook } = input;
  const detail = { ...wish, runbook: { name: runbook.name, digest: runbook.digest } };
  return audited({ ...deps, kind: 'remediation.start', actor, object: id, detail }, async () => {
    await refuseWhileStopped(deps);
    const isNew = await callTemporal(deps, callMs, () => startOnce(deps.client, input, asked));
    return { id, isNew, state: asked.approvers === 0 ? 'started' : 'awaiting_approval' };
  });
}

const inputOf = (
  deps: ManualRunDeps,
  of: {
    readonly asked: ManualRun;
    readonly startedBy: string;
    readonly name: string;
    readonly isPlanOnly: boolean;
  },
): RemediationInput =>
  manualRemediation({
    ...of,
    set: deps.policies,
    remediationId: workflowIds.manual({ runbook: of.asked.runbook, ulid: of.name }),
    approvalMs: limits.approvalExpiresMs,
    approvalsFromTemporal: deps.approvalsFromTemporal,
    nowMs: deps.clock.now(),
    clocks: deps.clocks,
    callbackUrl: deps.callbackUrl,
  });

/** Nothing would start on any host (invariant 4), so it is said at once. */
export async function refuseWhileStopped({
  control,
}: Pick<ManualRunDeps, 'control'>): Promise<void> {
  const state = await control.read().catch(() => null);
  if (state !== null && !state.stopped) return;
  const why = state === null ? 'the kill switch cannot be read' : `${state.reason} (${state.by})`;
  throw new FixpointError('stopped', `nothing may start on any host: ${why}`);
}

/** Whether this call began it; the same run of before is no error, another one of that name is. */
async function startOnce(client: Client, input: RemediationInput, asked: ManualRun) {
  const digest = digestOf(asked);
  try {
    await startWorkflow(client, input, digest);
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { memo } = await client.workflow.getHandle(input.remediationId).describe();
    if (memo?.['asked'] === digest) return false;
    throw new FixpointError('conflict', `another run is named ${input.remediationId} already`, {
      hint: 'choose another id, or leave it out',
    });
  }
}

const startWorkflow = (client: Client, input: RemediationInput, asked: string) =>
  client.workflow.start(workflowTypes.remediation, { ...startOptionsOf(input), memo: { asked } });

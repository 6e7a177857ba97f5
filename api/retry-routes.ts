import type { Client } from '@temporalio/client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { actionBody } from '../contracts/http.ts';
import {
  type RemediationInput,
  type RemediationProgress,
  workflowIds,
  workflowTypes,
} from '../contracts/temporal.ts';
import { isFailedLetter } from '../domain/batch-ledger.ts';
import { FixpointError } from '../domain/errors.ts';
import { isRemediationEnd } from '../domain/remediation-end.ts';
import { ulidOf } from '../domain/ulid.ts';
import { startOptionsOf } from '../platform/remediation-start.ts';
import { bodyOf } from './body.ts';
import { type ManualRunDeps, refuseWhileStopped } from './manual-run-routes.ts';
import { audited } from './operator-actions.ts';
import { permitted } from './operator-identity.ts';
import { retryWhilePaused } from './remediation-actions.ts';
import { idOf } from './remediation-id.ts';
import { show } from './remediation-routes.ts';
import { callTemporal } from './temporal-call.ts';

const callMs = 10_000;

/**
 * Tries failed hosts again: of a repair that is paused by an update, of one that has ended by a run by hand
 * with the same runbook, values and guards, on these hosts alone.
 */
export function retryRoutes(app: FastifyInstance, deps: ManualRunDeps): void {
  app.post('/v1/remediations/:id/retry-failed', async (request, reply) => {
    const id = idOf(request.params);
    const detail = await callTemporal(deps, callMs, () => show(deps, id));
    // One that has ended may still have to tell so before its workflow closes.
    const hasEnded = detail.endedAt !== null || isRemediationEnd(detail.progress.state);
    const kept = hasEnded
      ? await retryEnded(deps, request, detail)
      : await retryWhilePaused(deps, request);
    return reply.code(202).send(kept);
  });
}

type Ended = {
  readonly id: string;
  readonly runId: string;
  readonly progress: RemediationProgress;
};

async function retryEnded(deps: ManualRunDeps, request: FastifyRequest, ended: Ended) {
  const { reason, operator_name: claimed = null } = bodyOf(request, actionBody);
  const actor = permitted(request, 'retryFailed', claimed);
  const detail = { reason, of: ended.id };
  const kind = 'remediation.retry_failed';
  return audited({ ...deps, kind, actor, object: ended.id, detail }, async () => {
    await refuseWhileStopped(deps);
    const before = await callTemporal(deps, callMs, () => inputOf(deps.client, ended));
    const agents = failedAgents(before, ended.progress);
    const ulid = ulidOf(deps.clock.now(), deps.clock.randomBytes(10));
    const input = inputFor(before, { agents, ulid, startedBy: actor.credential });
    await callTemporal(deps, callMs, () =>
      deps.client.workflow.start(workflowTypes.remediation, startOptionsOf(input)),
    );
    const isAsking = input.policy.autonomy === 'approve';
    const hosts = `${agents.length} ${agents.length === 1 ? 'host' : 'hosts'}`;
    const state = isAsking ? 'awaiting_approval' : 'started';
    return { id: input.remediationId, state, answer: `on ${hosts} that failed in ${ended.id}` };
  });
}

/** What a repair was started with; it stands at the head of its history. */
async function inputOf(client: Client, { id, runId }: Ended): Promise<RemediationInput> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId: id, runId },
    maximumPageSize: 1,
  });
  const [first] = history?.events ?? [];
  const payload = first?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
  if (payload === undefined || payload === null) {
    throw new FixpointError('gone', 'the history of this remediation is gone');
  }
  return JSON.parse(Buffer.from(payload).toString('utf8')) as RemediationInput; // Only Fixpoint starts them.
}

/**
 * The hosts that failed. One whose outcome is unknown only where every step may be repeated (invariant 2).
 */
function failedAgents(
  { runbook, policy }: RemediationInput,
  { targets }: RemediationProgress,
): readonly string[] {
  if (runbook.verify.probe === null) {
    throw new FixpointError(
      'conflict',
      'its runbook has no verify.probe, which could prove a retry',
    );
  }
  const isRepeatable = runbook.steps.every(({ contract }) => contract === 'repeatable');
  const failed = targets.filter(
    ({ letter }) => isFailedLetter(letter) && (letter !== 'u' || isRepeatable),
  );
  if (failed.length > 0 && policy.autonomy !== 'observe') {
    return failed.map(({ agentId }) => agentId);
  }
  throw new FixpointError('conflict', 'no host failed that may be tried again', {
    hint: 'an unknown outcome is tried again only where every step says contract: repeatable',
  });
}

function inputFor(
  { carried: _, refusal: __, ...before }: RemediationInput,
  of: { readonly agents: readonly string[]; readonly ulid: string; readonly startedBy: string },
): RemediationInput {
  const { policy, runbook } = before;
  return {
    ...before,
    remediationId: workflowIds.manual({ runbook: runbook.name, ulid: of.ulid }),
    mailboxId: null,
    trigger: 'manual',
    startedBy: of.startedBy,
    // Whoever asks for it wants it whether or not the alerts are over by now.
    policy: {
      ...policy,
      targets: { ...policy.targets, agents: of.agents },
      onResolved: 'continue',
    },
  };
}

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { actionBody, approveBody, cancelBody, type remediationAction } from '../contracts/http.ts';
import { type ApprovalUpdate, updateNames } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import type { OperatorAct } from '../domain/permissions.ts';
import { bodyOf } from './body.ts';
import { audited } from './operator-actions.ts';
import { permitted } from './operator-identity.ts';
import { requestKeyOf, updateIdOf } from './operator-request.ts';
import { idOf } from './remediation-id.ts';
import type { RemediationDeps } from './remediation-routes.ts';
import { callTemporal } from './temporal-call.ts';

type Action = {
  readonly path: string;
  readonly act: OperatorAct & keyof typeof updateNames;
  /** What it is from now on, in the answer. */
  readonly state: string;
  readonly body: typeof actionBody | typeof approveBody | typeof cancelBody;
};

const actions: readonly Action[] = [
  { path: 'approve', act: 'approve', state: 'approved', body: approveBody },
  { path: 'reject', act: 'reject', state: 'rejected', body: actionBody },
  { path: 'pause', act: 'pause', state: 'pausing', body: actionBody },
  { path: 'resume', act: 'resume', state: 'resuming', body: actionBody },
  { path: 'confirm-batch', act: 'confirmBatch', state: 'confirmed', body: actionBody },
  { path: 'cancel', act: 'cancel', state: 'cancelling', body: cancelBody },
];

const retry: Action = {
  ...{ path: 'retry-failed', act: 'retryFailed', state: 'retrying', body: actionBody },
};

const callMs = 10_000;

/**
 * What operators ask of a running repair. Each is an update, answered once the repair has it in its
 * history, and has one audit record, refused or not.
 */
export function remediationActions(app: FastifyInstance, deps: RemediationDeps): void {
  for (const action of actions) {
    app.post(`/v1/remediations/:id/${action.path}`, async (request, reply) => {
      const kept = await carryOut(deps, action, request);
      return reply.code(202).send(kept);
    });
  }
}

/** Failed hosts of a repair that is paused. */
export const retryWhilePaused = (deps: RemediationDeps, request: FastifyRequest) =>
  carryOut(deps, retry, request);

async function carryOut(
  deps: RemediationDeps,
  action: Action,
  request: FastifyRequest,
): Promise<z.infer<typeof remediationAction>> {
  const id = idOf(request.params);
  const { operator_name: claimed = null, reason, ...said } = saidIn(request, action);
  const actor = permitted(request, action.act, claimed);
  const key = requestKeyOf(request, deps.clock);
  const wish: ApprovalUpdate = {
    ...said,
    reason,
    by: actor.credential,
    via: 'api',
    ...(claimed === null ? {} : { claimed }),
  };
  const kind = `remediation.${action.path.replaceAll('-', '_')}`;
  const detail = { reason, ...said, request: key };
  const answer = await audited({ ...deps, kind, actor, object: id, detail }, () =>
    callTemporal(deps, callMs, () =>
      update(deps, id, { name: updateNames[action.act], key, wish }),
    ),
  );
  return { id, state: action.state, ...(typeof answer === 'string' ? { answer } : {}) };
}

type Said = {
  readonly reason: string;
  readonly digest?: string | undefined;
  readonly operator_name?: string | undefined;
};

const saidIn = (request: FastifyRequest, { body }: Action): Said =>
  bodyOf<z.ZodType<Said>>(request, body);

/** The same wish under the same key joins the first. */
async function update(
  deps: RemediationDeps,
  id: string,
  of: { readonly name: string; readonly wish: ApprovalUpdate; readonly key: string },
): Promise<unknown> {
  const handle = deps.client.workflow.getHandle(id);
  const { status } = await handle.describe();
  if (status.name !== 'RUNNING') {
    throw new FixpointError('gone', `the remediation ended already: ${status.name.toLowerCase()}`);
  }
  return handle.executeUpdate<unknown, [ApprovalUpdate]>(of.name, {
    args: [of.wish],
    updateId: updateIdOf(of),
  });
}

import { type Client, WithStartWorkflowOperation, WorkflowNotFoundError } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { agentLockBody, controlBody } from '../contracts/http.ts';
import { agentId } from '../contracts/task.ts';
import {
  type ControlInput,
  type ControlState,
  type ControlUpdate,
  type LockUpdate,
  queryNames,
  taskQueues,
  updateNames,
  workflowIds,
  workflowTypes,
} from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import { stopOf } from '../domain/stop-scope.ts';
import type { AuditLog } from '../platform/audit.ts';
import { type ControlView, untilCached } from '../platform/control-switch.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { bodyOf } from './body.ts';
import { type ScopeDeps, scopeOf } from './control-scope.ts';
import { audited, shownName } from './operator-actions.ts';
import { permitted } from './operator-identity.ts';
import { requestKeyOf, updateIdOf } from './operator-request.ts';
import { callTemporal } from './temporal-call.ts';

export type ControlDeps = ControlView &
  ScopeDeps & {
    readonly audit: AuditLog;
    readonly log: Log;
    readonly crash: CrashPoints<'api'>;
  };

type Control = (input: ControlInput) => Promise<never>;

const callMs = 10_000;
const allowed: ControlState = { revision: 0, stopped: false, reason: '', by: '', at: 0 };

const lockParams = z.object({ agentId });

/** The kill switch and the agent locks: their truth is the control workflow (design 3). */
export function controlRoutes(app: FastifyInstance, deps: ControlDeps): void {
  app.get('/v1/control', async () => callTemporal(deps, callMs, () => readState(deps.client)));
  app.put('/v1/control', async (request) => {
    const body = bodyOf(request, controlBody);
    const { stopped, reason, operator_name: claimed = null } = body;
    const actor = permitted(request, stopped ? 'stop' : 'allow', claimed);
    const scope = await scopeOf(deps, body);
    const key = requestKeyOf(request, deps.clock);
    const kind = stopped ? 'control.stop' : 'control.allow';
    const object = workflowIds.control;
    const of = scope === undefined ? {} : { scope };
    const detail = { reason, request: key, ...of };
    return audited({ ...deps, kind, actor, object, detail }, async () => {
      // A worker from before there were scopes would take this for the switch of everything.
      if (!stopped && scope !== undefined) {
        const state = await callTemporal(deps, callMs, () => readState(deps.client));
        if (stopOf(state.stops ?? [], scope) === null) return state;
      }
      return update(deps, {
        ...{ key, name: stopped ? updateNames.stop : updateNames.allow },
        wish: { by: shownName(actor), reason, ...of },
      });
    });
  });
  app.put('/v1/control/agents/:agentId', async (request) => {
    const { locked, reason, operator_name: claimed = null } = bodyOf(request, agentLockBody);
    const params = lockParams.safeParse(request.params);
    if (!params.success) throw new FixpointError('invalid_payload', 'that is no agent’s id');
    const object = params.data.agentId;
    const actor = permitted(request, locked ? 'lockAgent' : 'unlockAgent', claimed);
    const key = requestKeyOf(request, deps.clock);
    const kind = locked ? 'agent.lock' : 'agent.unlock';
    return audited({ ...deps, kind, actor, object, detail: { reason, request: key } }, () =>
      update(deps, {
        ...{ key, name: locked ? updateNames.lockAgent : updateNames.unlockAgent },
        wish: { agentId: object, by: shownName(actor), reason },
      }),
    );
  });
}

async function readState(client: Client): Promise<ControlState> {
  try {
    return await client.workflow
      .getHandle(workflowIds.control)
      .query<ControlState>(queryNames.state);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    // Missing control state means stopped (invariant 4).
    return { ...allowed, stopped: true, reason: 'no worker has started the control workflow yet' };
  }
}

/**
 * Returns once the gateways' cache says the same, with what it says. The same wish under the same
 * key is done once, whenever it comes again.
 */
async function update<Update extends ControlUpdate | LockUpdate>(
  deps: ControlDeps,
  of: { readonly name: string; readonly wish: Update; readonly key: string },
): Promise<ControlState> {
  const input: ControlInput = { state: await seed(deps.control) };
  const changed = await callTemporal(deps, callMs, () =>
    deps.client.workflow.executeUpdateWithStart<Control, ControlState, [Update]>(of.name, {
      args: [of.wish],
      updateId: updateIdOf(of),
      startWorkflowOperation: new WithStartWorkflowOperation<Control>(workflowTypes.control, {
        workflowId: workflowIds.control,
        taskQueue: taskQueues.workflows,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    }),
  );
  return callTemporal(deps, callMs, () => untilCached(deps, changed));
}

/**
 * What a switch that does not run yet begins with: a Temporal that lost it is told by the cache, so
 * that what was stopped or locked stays so. While the cache cannot be asked that is a stop.
 */
async function seed(control: ControlDeps['control']): Promise<ControlState> {
  try {
    return (await control.read()) ?? allowed;
  } catch {
    return { ...allowed, stopped: true, reason: 'the control state before could not be read' };
  }
}

export { update as updateControl };

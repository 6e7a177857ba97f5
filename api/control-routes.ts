import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ControlState } from '../contracts/control.ts';
import { agentLockBody, controlBody } from '../contracts/http.ts';
import { agentId } from '../contracts/task.ts';
import { queryNames, updateNames, workflowIds } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import { stopOf } from '../domain/stop-scope.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { ControlView } from '../platform/control-switch.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { bodyOf } from './body.ts';
import { type ScopeDeps, scopeOf } from './control-scope.ts';
import { untouched, updateControl } from './control-update.ts';
import { audited, shownName } from './operator-actions.ts';
import { permitted } from './operator-identity.ts';
import { requestKeyOf } from './operator-request.ts';
import { callTemporal } from './temporal-call.ts';

export type ControlDeps = ControlView &
  ScopeDeps & {
    readonly audit: AuditLog;
    readonly log: Log;
    readonly crash: CrashPoints<'api'>;
  };

const callMs = 10_000;

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
      return updateControl(deps, {
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
      updateControl(deps, {
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
    return {
      ...untouched,
      stopped: true,
      reason: 'no worker has started the control workflow yet',
    };
  }
}

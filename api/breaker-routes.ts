import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { CloseBreakerUpdate, OpenBreakerUpdate } from '../contracts/breaker.ts';
import { breakerBody } from '../contracts/breaker-body.ts';
import { resourceName } from '../contracts/runbook.ts';
import { updateNames } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import type { PolicySet } from '../platform/policy-files.ts';
import { bodyOf } from './body.ts';
import type { ControlDeps } from './control-routes.ts';
import { updateControl } from './control-update.ts';
import { audited, shownName } from './operator-actions.ts';
import { permitted } from './operator-identity.ts';
import { requestKeyOf } from './operator-request.ts';

export type BreakerDeps = ControlDeps & { readonly policies: PolicySet };

const params = z.object({ policy: resourceName });
const namedMax = 10;

/** Opens and closes the breakers of policies by hand; who, when and why stand in the audit log. */
export function breakerRoutes(app: FastifyInstance, deps: BreakerDeps): void {
  app.put('/v1/control/breakers/:policy', async (request) => {
    const body = bodyOf(request, breakerBody);
    const { open, reason, openForMs, operator_name: claimed = null } = body;
    const actor = permitted(request, open ? 'openBreaker' : 'closeBreaker', claimed);
    const policy = policyOf(request.params);
    // One that was opened before its policy went away can still be closed.
    if (open) refuseUnknown(policy, deps.policies);
    const key = requestKeyOf(request, deps.clock);
    const by = shownName(actor);
    const detail = { reason, request: key, ...(openForMs === undefined ? {} : { openForMs }) };
    const kind = open ? 'breaker.open' : 'breaker.close';
    return audited({ ...deps, kind, actor, object: policy, detail }, () =>
      open
        ? updateControl<OpenBreakerUpdate>(deps, {
            ...{ key, name: updateNames.openBreaker },
            wish: { policy, by, reason, ...(openForMs === undefined ? {} : { openForMs }) },
          })
        : updateControl<CloseBreakerUpdate>(deps, {
            ...{ key, name: updateNames.closeBreaker },
            wish: { policy, by, reason },
          }),
    );
  });
}

function policyOf(told: unknown): string {
  const found = params.safeParse(told);
  if (found.success) return found.data.policy;
  throw new FixpointError('invalid_payload', 'that is no policy’s name');
}

/** A mistyped name would open a breaker that stops nothing. */
function refuseUnknown(policy: string, { policies }: PolicySet): void {
  if (policies.some(({ name }) => name === policy)) return;
  const names = policies.map(({ name }) => name).slice(0, namedMax);
  const more = policies.length > namedMax ? ', …' : '';
  throw new FixpointError('not_found', `there is no policy ${policy}`, {
    hint: `policies here: ${names.join(', ') || 'none'}${more}`,
  });
}

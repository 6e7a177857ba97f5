import type { Client } from '@temporalio/client';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Clocks, limits } from '../contracts/limits.ts';
import type { OperatorToken } from '../contracts/operator-token.ts';
import { FixpointError } from '../domain/errors.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { PolicySet } from '../platform/policy-files.ts';
import type { Deliveries } from '../redis/deliveries.ts';
import type { Intake } from '../redis/intake.ts';
import { alertRoutes } from './alert-routes.ts';
import { breakerRoutes } from './breaker-routes.ts';
import { callbackRoutes } from './callback-routes.ts';
import { type ControlDeps, controlRoutes } from './control-routes.ts';
import { escalationRoutes } from './escalation-routes.ts';
import { type Check, healthRoutes } from './health-routes.ts';
import { manualRunRoutes } from './manual-run-routes.ts';
import { identify } from './operator-identity.ts';
import { policyRoutes } from './policy-routes.ts';
import type { TrialDeps } from './policy-trial.ts';
import { asFixpointError, sendProblem } from './problem.ts';
import { remediationRoutes } from './remediation-routes.ts';
import { retryRoutes } from './retry-routes.ts';
import { webhookRoutes } from './webhook-routes.ts';

export type ApiDeps = {
  readonly intake: Intake;
  readonly deliveries: Deliveries;
  readonly client: Client;
  readonly control: ControlDeps['control'];
  readonly policies: PolicySet;
  readonly inventory: ControlDeps['inventory'];
  readonly held: TrialDeps['held'];
  readonly connected: TrialDeps['connected'];
  readonly blastRadius: TrialDeps['blastRadius'];
  readonly stormOf: TrialDeps['stormOf'];
  readonly audit: AuditLog;
  readonly metrics: Metrics;
  readonly checks: readonly Check[];
  readonly operators: readonly OperatorToken[];
  readonly webhookSecrets: readonly string[];
  readonly callbackSecrets: readonly string[];
  readonly clock: Clock;
  /** Runs by hand take them along. */
  readonly clocks: Clocks;
  readonly callbackUrl: string;
  readonly approvalsFromTemporal: boolean;
  readonly log: Log;
  readonly crash: CrashPoints<'api'>;
};

/** Listens and answers where; `close` waits for requests under way. */
export async function startApi(
  deps: ApiDeps,
  listen: { readonly host: string; readonly port: number },
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const app = createApi(deps);
  const url = await app.listen(listen);
  return { url, close: () => app.close() };
}

function createApi(deps: ApiDeps): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: limits.requestBodyBytes,
    // From the first byte to the last of a request: a slow sender does not hold a connection.
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 1_024 },
  });
  // Every body is kept as its bytes: signatures are over them, and a body that is no JSON must
  // reach its route, which answers it by the sender's own table.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((thrown, request, reply) => {
    const error = asFixpointError(thrown);
    if (error.code === 'internal') {
      deps.log.error({ error: thrown, url: request.routeOptions.url }, 'a request failed');
    }
    return sendProblem(reply, error);
  });
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, new FixpointError('not_found', 'there is no such route')),
  );
  healthRoutes(app, deps);
  webhookRoutes(app, deps);
  callbackRoutes(app, deps);
  void app.register(async (operators) => {
    operators.addHook('onRequest', async (request) => identify(request, deps.operators));
    alertRoutes(operators, deps);
    policyRoutes(operators, deps);
    remediationRoutes(operators, deps);
    manualRunRoutes(operators, deps);
    retryRoutes(operators, deps);
    escalationRoutes(operators, deps);
    controlRoutes(operators, deps);
    breakerRoutes(operators, deps);
  });
  return app;
}

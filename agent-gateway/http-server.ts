import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Metrics, type Readiness, readyz } from '../platform/metrics.ts';
import { type AgentRoutesDeps, agentQueryPath, agentRoutes } from './agent-routes.ts';
import { type AgentTokenRoutesDeps, agentTokenRoutes } from './agent-token-routes.ts';
import { isKnownToken } from './bearer-token.ts';
import { forwardedHeader } from './peer-output.ts';
import { isPeerAuthorization, isSignedByPeer } from './peer-signature.ts';
import { answerProblem } from './problem.ts';
import { outputPath, type TaskRoutesDeps, taskRoutes } from './task-routes.ts';

export type HttpServerDeps = TaskRoutesDeps &
  AgentRoutesDeps &
  AgentTokenRoutesDeps & {
    /** Any of them will do. */
    readonly tokens: readonly string[];
    /** These too, for what changes nothing. */
    readonly readTokens: readonly string[];
    /** Where other gateways reach this one. */
    readonly url: string;
    readonly scrape: Metrics;
    readonly readiness: Readiness;
    readonly clock: Clock;
    readonly log: Log;
  };

const requestMs = 15_000;

/**
 * The gateway's HTTP API, not listening yet. `/v1` wants a bearer token, and of other gateways their
 * signature; health and metrics want nothing.
 */
export function httpServer(deps: HttpServerDeps): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.requestBodyBytes,
    requestTimeout: requestMs,
    // Kept-alive connections of a client that is done must not hold up a stop.
    forceCloseConnections: 'idle',
    // Ids and names come percent-encoded; a name may be 253 bytes.
    routerOptions: { maxParamLength: 800 },
  });
  app.setErrorHandler((error, _request, reply) => answerProblem(reply, error, deps.log));
  app.setNotFoundHandler((request, reply) =>
    answerProblem(
      reply,
      new FixpointError('not_found', `there is no ${request.method} ${pathOf(request.url)}`),
      deps.log,
    ),
  );
  healthRoutes(app, deps);
  void app.register(async (routes) => {
    // On the routes and not by the request's path, which may be spelled in many ways.
    routes.addHook('onRequest', async (request) => admit(request, deps));
    taskRoutes(routes, deps);
    agentRoutes(routes, deps);
    agentTokenRoutes(routes, deps);
  });
  return app;
}

function admit(request: FastifyRequest, deps: HttpServerDeps): void {
  const { authorization } = request.headers;
  const isReading = request.method === 'GET' || request.routeOptions.url === agentQueryPath;
  if (isKnownToken(authorization, deps.tokens)) return;
  if (isReading && isKnownToken(authorization, deps.readTokens)) return;
  if (!isPeerAuthorization(authorization)) {
    throw new FixpointError('unauthenticated', 'a bearer token of this gateway is needed');
  }
  if (isPeersQuestion(request, deps)) return;
  throw new FixpointError('forbidden', 'this gateway does not take the word of that one', {
    hint: 'their FIXPOINT_GATEWAY_TOKEN must be the same, and their clocks within 30 s',
  });
}

/** Other gateways read output, and nothing else. */
function isPeersQuestion(request: FastifyRequest, { url, tokens, clock }: HttpServerDeps): boolean {
  const { authorization = '', [forwardedHeader]: from } = request.headers;
  if (request.routeOptions.url !== outputPath || typeof from !== 'string') return false;
  const asked = { method: request.method, origin: new URL(url).origin, path: request.url, from };
  return isSignedByPeer(authorization, asked, { tokens, now: clock.now() });
}

const pathOf = (url: string): string => (url.split('?')[0] ?? '').slice(0, 200);

function healthRoutes(app: FastifyInstance, deps: HttpServerDeps): void {
  app.get('/livez', (_request, reply) => reply.type('text/plain').send('ok\n'));
  app.get<{ Querystring: Record<string, unknown> }>('/readyz', async (request, reply) => {
    const isVerbose = Object.hasOwn(request.query, 'verbose');
    const { status, body, type } = await readyz(deps.readiness, isVerbose);
    return reply.code(status).type(type).send(body);
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(deps.scrape.registry.contentType).send(await deps.scrape.text()),
  );
}

import type { FastifyInstance } from 'fastify';
import { agentTokenBody } from '../contracts/enrolment.ts';
import { FixpointError } from '../domain/errors.ts';
import { isKnownToken } from './bearer-token.ts';
import type { Enrolment } from './enrolment.ts';
import { checked } from './problem.ts';

export type AgentTokenRoutesDeps = {
  readonly enrolment: Pick<Enrolment, 'createToken'>;
  /** Workers' tokens will not do: a host may be made an agent by an operator alone. */
  readonly operatorTokens: readonly string[];
};

const operator = 'operator';

/** `POST /v1/agent-tokens`: the answer is the only place where the token is ever shown. */
export function agentTokenRoutes(app: FastifyInstance, deps: AgentTokenRoutesDeps): void {
  app.post('/v1/agent-tokens', async (request, reply) => {
    if (!isKnownToken(request.headers.authorization, deps.operatorTokens)) {
      throw new FixpointError('forbidden', 'the operator’s token is needed');
    }
    const created = await deps.enrolment.createToken(
      checked(agentTokenBody, request.body),
      operator,
    );
    return reply.code(201).header('cache-control', 'no-store').send(created);
  });
}

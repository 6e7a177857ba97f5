import type { FastifyInstance } from 'fastify';
import { agentTokenBody } from '../contracts/enrolment.ts';
import { FixpointError } from '../domain/errors.ts';
import { isKnownToken } from './bearer-token.ts';
import type { Enrolment } from './enrolment.ts';
import { checked } from './problem.ts';

export type AgentTokenRoutesDeps = {
  readonly enrolment: Pick<Enrolment, 'createToken'>;
  /** Workers' tokens will not do: a host may be made an agent by an operator alone. */
  readonly operators: readonly { readonly name: string; readonly token: string }[];
};

/** `POST /v1/agent-tokens`: the answer is the only place where the token is ever shown. */
export function agentTokenRoutes(app: FastifyInstance, deps: AgentTokenRoutesDeps): void {
  app.post('/v1/agent-tokens', async (request, reply) => {
    const { authorization } = request.headers;
    const operator = deps.operators.find(({ token }) => isKnownToken(authorization, [token]));
    if (operator === undefined) {
      throw new FixpointError('forbidden', 'the operator’s token is needed');
    }
    const created = await deps.enrolment.createToken(
      checked(agentTokenBody, request.body),
      operator.name,
    );
    return reply.code(201).header('cache-control', 'no-store').send(created);
  });
}

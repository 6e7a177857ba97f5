import type { FastifyRequest } from 'fastify';
import type { OperatorToken } from '../contracts/operator-token.ts';
import { FixpointError } from '../domain/errors.ts';
import { mayDo, type OperatorAct, rolesThatMay } from '../domain/permissions.ts';
import { sameSecret } from '../platform/digest.ts';

/** Who acts: the credential, and beside it the name that was only claimed (invariant 9). */
export type Actor = { readonly credential: string; readonly claimed: string | null };

type Operator = Pick<OperatorToken, 'name' | 'role'>;

/** Who the shared token of an installation is. */
export const sharedOperator = { name: 'operator', role: 'admin' } as const;

const known = new WeakMap<FastifyRequest, Operator>();

/**
 * Learns from its bearer token whose request this is (invariant 9). Throws `unauthenticated` if it is
 * nobody’s. All tokens are compared, in constant time, so that an answer’s time tells nothing.
 */
export function identify(request: FastifyRequest, operators: readonly OperatorToken[]): void {
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const found = operators.filter(({ token }) => given !== undefined && sameSecret(token, given));
  const [operator] = found;
  if (operator === undefined) {
    throw new FixpointError('unauthenticated', 'the bearer token is missing or wrong', {
      hint: 'send the header Authorization: Bearer <token>',
    });
  }
  known.set(request, operator);
}

/** Who asks, if they may do this; throws `forbidden` otherwise. `claimed` is recorded beside it. */
export function permitted(
  request: FastifyRequest,
  act: OperatorAct,
  claimed: string | null = null,
): Actor {
  const operator = known.get(request);
  if (operator === undefined) throw new FixpointError('unauthenticated', 'nobody is known to ask');
  const { name, role } = operator;
  if (mayDo(role, act)) return { credential: name, claimed };
  throw new FixpointError('forbidden', `${name} is ${role} and may not do this: ${act}`, {
    hint: `it takes the role ${rolesThatMay(act).join(' or ')}`,
  });
}

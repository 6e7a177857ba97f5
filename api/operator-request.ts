import type { FastifyRequest } from 'fastify';
import { idempotencyKey } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import { base32 } from '../domain/ids.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { Clock } from '../platform/clock.ts';
import { sha256 } from '../platform/digest.ts';

/**
 * What the sender calls this request, so that one it sends again joins the first: its header
 * `Idempotency-Key`, or without one a name that no other request has. Throws `invalid_payload`.
 */
export function requestKeyOf(request: FastifyRequest, clock: Pick<Clock, 'randomBytes'>): string {
  const told = request.headers['idempotency-key'];
  if (told === undefined) return base32(clock.randomBytes(16));
  const key = idempotencyKey.safeParse(told);
  if (key.success) return key.data;
  const fix = 'must be 8 to 500 printable characters without a space';
  throw new FixpointError('invalid_payload', `Idempotency-Key ${fix}`, {
    flaws: [{ field: 'Idempotency-Key', fix }],
  });
}

/**
 * The id of the update that a request becomes. It is the same for the same wish under the same key;
 * another wish under that key is another update, because a stop must never be taken for done.
 */
export const updateIdOf = (of: {
  readonly name: string;
  readonly wish: unknown;
  readonly key: string;
}): string => `${of.name}/${base32(sha256(canonicalJson(of))).slice(0, 26)}`;

import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { FixpointError } from '../domain/errors.ts';

/** The exact bytes of a body, as signatures need them; empty when there is none. */
export const rawBodyOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);

/** A body as `schema` has it; an absent one counts as `{}`. Throws `invalid_payload`, flaws named. */
export function bodyOf<S extends z.ZodType>(request: FastifyRequest, schema: S): z.output<S> {
  return parsed(schema, jsonOf(rawBodyOf(request)));
}

/** Query parameters as `schema` has them. Throws `invalid_payload`, flaws named. */
export const queryOf = <S extends z.ZodType>(request: FastifyRequest, schema: S): z.output<S> =>
  parsed(schema, request.query);

function jsonOf(raw: Buffer): unknown {
  if (raw.length === 0) return {};
  try {
    return JSON.parse(raw.toString('utf8'));
  } catch {
    throw new FixpointError('invalid_payload', 'the body is not JSON');
  }
}

function parsed<S extends z.ZodType>(schema: S, data: unknown): z.output<S> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  throw new FixpointError('invalid_payload', 'the request has flaws', {
    flaws: result.error.issues.map((issue) => ({
      field: issue.path.join('.') || 'body',
      fix: issue.message,
    })),
  });
}

import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Problem } from '../contracts/http.ts';
import { errorPolicies, FixpointError, type Flaw } from '../domain/errors.ts';
import type { Log } from '../platform/log.ts';

export const retryAfterSeconds = '1';

/**
 * Answers a refusal. What has no code of ours is `internal`, logged here once with its cause and
 * told to nobody (invariant 10).
 */
export function answerProblem(reply: FastifyReply, error: unknown, log: Log): FastifyReply {
  const known = knownOf(error);
  const policy = errorPolicies[known.code];
  if (policy.http >= 500) log.warn({ error, code: known.code }, 'a request failed');
  if (policy.retry === 'later') reply.header('retry-after', retryAfterSeconds);
  return reply
    .code(policy.http)
    .header('content-type', 'application/problem+json')
    .send(problemOf(known));
}

/** The body of a refusal. */
export function problemOf(error: FixpointError): Problem {
  return {
    code: error.code,
    message: error.message,
    ...(error.flaws.length > 0 ? { flaws: [...error.flaws] } : {}),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

/** A refusal as it may be told; what has no code of ours is `internal`. */
export function knownOf(error: unknown): FixpointError {
  if (error instanceof FixpointError) return error;
  const status = statusOf(error);
  if (status === 413) return new FixpointError('too_large', 'the body is too large');
  if (status === 415) return new FixpointError('unsupported', 'the body must be application/json');
  if (status !== null && status < 500) {
    return new FixpointError('invalid_payload', 'the body is not JSON that can be read');
  }
  return new FixpointError('internal', 'something failed in the gateway; its log says what');
}

/** The status that the HTTP library chose for its own refusals. */
function statusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return null;
  return typeof error.statusCode === 'number' ? error.statusCode : null;
}

const flawsMax = 20;

/** The data, or `invalid_payload` with the first flaws. `where` begins each field's name. */
export function checked<S extends z.ZodType>(schema: S, data: unknown, where = ''): z.output<S> {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const flaws = parsed.error.issues.slice(0, flawsMax).map((issue): Flaw => {
    const path = issue.path.map(String).join('.');
    return { field: [where, path].filter((part) => part !== '').join('.'), fix: issue.message };
  });
  throw new FixpointError('invalid_payload', 'the request has flaws', { flaws });
}

import type { FastifyError, FastifyReply } from 'fastify';
import type { Problem } from '../contracts/http.ts';
import { type ErrorCode, errorPolicies, FixpointError } from '../domain/errors.ts';

/** Anything a route threw as the one error that leaves the api; `internal` hides what it was. */
export function asFixpointError(error: unknown): FixpointError {
  if (error instanceof FixpointError) return error;
  const { code, statusCode } = frameworkError(error);
  if (statusCode === 413) {
    return new FixpointError('too_large', 'the body is too large', { cause: error });
  }
  if (code?.startsWith('FST_ERR') && statusCode !== undefined && statusCode < 500) {
    return new FixpointError('invalid_payload', 'the request cannot be read', { cause: error });
  }
  return new FixpointError('internal', 'something went wrong in the api; its log says more', {
    cause: error,
  });
}

/** Answers with problem JSON; what may be tried again says when. */
export function sendProblem(reply: FastifyReply, error: FixpointError): FastifyReply {
  const policy = errorPolicies[error.code];
  const body: Problem = {
    code: error.code,
    message: error.message,
    ...(error.flaws.length > 0 ? { flaws: [...error.flaws] } : {}),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
  if (retriesSoon.includes(error.code)) reply.header('retry-after', '1');
  return reply
    .code(policy.http)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(body));
}

const retriesSoon: readonly ErrorCode[] = ['intake_full', 'upstream_unavailable', 'limit_exceeded'];

const frameworkError = (error: unknown): Partial<FastifyError> =>
  error instanceof Error ? (error as Partial<FastifyError>) : {}; // Only optional fields are read.

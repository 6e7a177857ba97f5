import {
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { FixpointError } from '../domain/errors.ts';

const deadlineExceeded = 4;

/** A failed Temporal call as the api tells it. What is not Temporal's comes back as it is. */
export function asTemporalProblem(error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new FixpointError('not_found', 'there is no such workflow', { cause: error });
  }
  if (error instanceof WorkflowUpdateFailedError) {
    // The workflow's own word why it refuses; it names no secret.
    const message = error.cause instanceof Error ? error.cause.message : 'it was refused';
    return new FixpointError('conflict', message, { cause: error });
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isDeadline(error)) {
    return new FixpointError('deadline_exceeded', 'no workflow worker answered in time', {
      cause: error,
      hint: 'is a worker with the role "workflows" running? see /readyz and `fixpoint status`',
    });
  }
  if (error instanceof ServiceError || isGrpcServiceError(error)) {
    return new FixpointError('upstream_unavailable', 'Temporal did not answer', { cause: error });
  }
  return error;
}

const isDeadline = (error: unknown): boolean => {
  const inner = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(inner) && Number(inner.code) === deadlineExceeded;
};

import {
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';

export type TemporalDeps = { readonly client: Client; readonly clock: Clock };

const grpcDeadlineExceeded = 4;
const probeMs = 1_000;

/**
 * Calls Temporal with an end after `withinMs`; its failures come out as ours. A call that got no
 * answer in time is `upstream_unavailable` when the server is away, and `deadline_exceeded` when
 * it is the workflow's worker that did not answer.
 */
export async function callTemporal<T>(
  deps: TemporalDeps,
  withinMs: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await deps.client.withDeadline(deps.clock.now() + withinMs, work);
  } catch (error) {
    if (!isDeadline(error)) throw asFixpointError(error);
    if (!(await isServerThere(deps))) throw away(error);
    throw new FixpointError('deadline_exceeded', 'no workflow worker answered in time', {
      cause: error,
      hint: 'is a worker with the role "workflows" running? see `fixpoint status`',
    });
  }
}

const away = (cause: unknown): FixpointError =>
  new FixpointError('upstream_unavailable', 'Temporal did not answer', { cause });

/** What is not Temporal's comes back as it is. */
function asFixpointError(error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new FixpointError('not_found', 'there is no such open workflow', { cause: error });
  }
  if (error instanceof WorkflowUpdateFailedError) {
    // The workflow's own word why it refuses; it names no secret.
    const message = error.cause instanceof Error ? error.cause.message : 'it was refused';
    const isStale = error.cause instanceof ApplicationFailure && error.cause.type === 'plan_stale';
    return new FixpointError(isStale ? 'plan_stale' : 'conflict', message, { cause: error });
  }
  return error instanceof ServiceError || isGrpcServiceError(error) ? away(error) : error;
}

function isDeadline(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  const inner = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(inner) && Number(inner.code) === grpcDeadlineExceeded;
}

async function isServerThere(deps: TemporalDeps): Promise<boolean> {
  try {
    await deps.client.withDeadline(deps.clock.now() + probeMs, () =>
      deps.client.workflowService.getSystemInfo({}),
    );
    return true;
  } catch {
    return false; // Whatever kept it from answering, it is not there for us.
  }
}

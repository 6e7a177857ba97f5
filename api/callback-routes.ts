import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { taskCallback } from '../contracts/task.ts';
import { signalNames, type TaskFinishedSignal, workflowTypes } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { verifyWebhook } from '../platform/standard-webhooks.ts';
import { bodyOf, rawBodyOf } from './body.ts';
import { callTemporal } from './temporal-call.ts';

export type CallbackDeps = {
  readonly client: Client;
  readonly callbackSecrets: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly crash: CrashPoints<'api'>;
};

const signalMs = 5_000;

/**
 * Where gateways report the end of our tasks (design 5.9): 204 only after Temporal stored it, 410
 * for a run that is closed or unknown, so that the gateway stops; anything else is tried again.
 */
export function callbackRoutes(app: FastifyInstance, deps: CallbackDeps): void {
  app.post('/v1/callbacks/tasks', async (request, reply) => {
    const verdict = verifyWebhook({
      secrets: deps.callbackSecrets,
      headers: request.headers,
      rawBody: rawBodyOf(request),
      now: deps.clock.now(),
    });
    if (verdict.kind === 'invalid') {
      deps.log.warn({ reason: verdict.reason }, 'a callback was refused');
      throw new FixpointError('unauthenticated', 'the signature does not hold');
    }
    const { reference, report } = bodyOf(request, taskCallback);
    if (!reference.startsWith(`${workflowTypes.remediation}:`)) {
      throw new FixpointError('gone', 'it is for no run of ours');
    }
    deps.crash('before-signal');
    await tell(deps, reference, { report });
    deps.crash('after-signal');
    return reply.code(204).send();
  });
}

async function tell(
  deps: CallbackDeps,
  workflowId: string,
  signal: TaskFinishedSignal,
): Promise<void> {
  await callTemporal(deps, signalMs, async () => {
    try {
      await deps.client.workflow.getHandle(workflowId).signal(signalNames.taskFinished, signal);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw new FixpointError('gone', 'the run is closed or unknown', { cause: error });
    }
  });
}

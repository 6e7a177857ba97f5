import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { RepairEndedSignal, TryAnswer, TryBreakerUpdate } from '../contracts/breaker.ts';
import { signalNames, updateNames, workflowIds } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';

/** Below the limit of a local activity: a worker that stops waits for what it has begun. */
const callMs = 5_000;

/**
 * The breakers of the control workflow. Both calls may be repeated; both reject while it does not run,
 * and after 5 s without an answer.
 */
export function breakerCalls({ client, clock }: { client: Client; clock: Clock }): {
  /** Tells of a repair that ended. */
  tell(signal: RepairEndedSignal): Promise<void>;
  /** Asks for a repair whether it may start, perhaps as the one that tries. */
  try(of: TryBreakerUpdate): Promise<TryAnswer>;
} {
  const control = () => client.workflow.getHandle(workflowIds.control);
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    whileItRuns(client.withDeadline(clock.now() + callMs, call));
  return {
    tell: (signal) => inTime(() => control().signal(signalNames.repairEnded, signal)),
    try: (of) =>
      inTime(() =>
        control().executeUpdate<TryAnswer, [TryBreakerUpdate]>(updateNames.tryBreaker, {
          args: [of],
          updateId: `${updateNames.tryBreaker}/${of.remediationId}`,
        }),
      ),
  };
}

async function whileItRuns<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (!(cause instanceof WorkflowNotFoundError)) throw cause;
    // The janitor starts it within seconds, and whoever called tries again.
    throw new FixpointError('upstream_unavailable', 'the control workflow does not run yet', {
      cause,
    });
  }
}

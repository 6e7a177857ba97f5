import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type {
  CoreActivities,
  GatewayActivities,
  LocalActivities,
  MailboxActivities,
} from '../contracts/activities.ts';
import type { Clocks } from '../contracts/limits.ts';
import { taskQueues } from '../contracts/temporal.ts';

type Summary = { readonly summary: string };

/** Core activities talk to Redis, Temporal and the audit file: seconds, tried again until they work. */
export const core = proxyActivities<CoreActivities>({
  taskQueue: taskQueues.activities,
  startToCloseTimeout: '15 s',
  retry: { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '30 s' },
});

/** Publishes the kill switch, tried again until it works: soon, because a stop waits for it. */
export const publishing = ({ summary }: Summary) =>
  proxyActivities<Pick<CoreActivities, 'publishControl'>>({
    taskQueue: taskQueues.activities,
    startToCloseTimeout: '3 s',
    retry: { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '2 s' },
    summary,
  });

/** Plans, tried again while the inventory or its Redis is away, at most `planMs` in all. */
export const planning = (clocks: Clocks, { summary }: Summary) =>
  proxyActivities<Pick<CoreActivities, 'planTargets'>>({
    taskQueue: taskQueues.activities,
    startToCloseTimeout: '15 s',
    scheduleToCloseTimeout: clocks.planMs,
    retry: { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '30 s' },
    summary,
  });

/** Plans once, within the workflow task: as a rule it takes milliseconds. */
export const planningAtOnce = ({ summary }: Summary) =>
  proxyLocalActivities<Pick<LocalActivities, 'planTargets'>>({
    startToCloseTimeout: '3 s',
    retry: { maximumAttempts: 1 },
    summary,
  });

/**
 * Asks the governor once, within the workflow task: as a rule it answers in milliseconds, and the batch
 * begins with that very task. A rebuild of the holds asks a run only between two of its tasks, so a grant
 * is in its history by then or was never used (rule R6).
 */
export const admittingAtOnce = (clocks: Clocks, { summary }: Summary) =>
  proxyLocalActivities<Pick<LocalActivities, 'admitBatch'>>({
    startToCloseTimeout: clocks.admitTryMs,
    retry: { maximumAttempts: 1 },
    summary,
  });

/**
 * Asks the governor, tried again for as long as it takes: an outage, or holds that are not to be
 * trusted, end no repair and let nobody pass. Pauses are short, because hosts wait.
 */
export const admitting = (clocks: Clocks, { summary }: Summary) =>
  proxyActivities<Pick<CoreActivities, 'admitBatch'>>({
    taskQueue: taskQueues.activities,
    startToCloseTimeout: clocks.admitTryMs,
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '5 s' },
    summary,
  });

/** Tells a person, tried again for `retryMs`: each try is short, and the pauses grow to a quarter of an hour. */
export const escalating = ({ summary, retryMs }: Summary & { readonly retryMs: number }) =>
  proxyActivities<Pick<CoreActivities, 'sendEscalation'>>({
    taskQueue: taskQueues.activities,
    startToCloseTimeout: '15 s',
    scheduleToCloseTimeout: retryMs,
    retry: { initialInterval: '2 s', backoffCoefficient: 2, maximumInterval: '15 min' },
    summary,
  });

/**
 * Asks for pages, which takes up to `withinMs` a try. Tried again while our own Redis is away, a few
 * times only: hosts wait for their proof, and are asked again anyhow.
 */
export const askingPages = ({ summary, withinMs }: Summary & { readonly withinMs: number }) =>
  proxyActivities<Pick<CoreActivities, 'probeHttp'>>({
    taskQueue: taskQueues.activities,
    startToCloseTimeout: withinMs + 5_000,
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumAttempts: 4 },
    summary,
  });

/** Local activities of the mailbox: one call each, tried again until they work. */
export const local = proxyLocalActivities<MailboxActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '30 s' },
  // Longer waits become durable timers, so that a long outage does not hold a workflow task open.
  localRetryThreshold: '5 s',
});

/** Submits under a key: 10 s a try, tried again under the same key, at most `notAfter` in all (design 5.10). */
export const submitting = (clocks: Clocks, { summary }: Summary) =>
  proxyActivities<Pick<GatewayActivities, 'submitTask' | 'probe'>>({
    taskQueue: taskQueues.gateway,
    startToCloseTimeout: clocks.submitTryMs,
    scheduleToCloseTimeout: clocks.notAfterMs,
    retry: { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '10 s' },
    summary,
  });

/** One look at a task; a gateway that does not answer in `withinMs` in all is a failure. */
export const polling = (of: Summary & { readonly clocks: Clocks; readonly withinMs: number }) =>
  proxyActivities<Pick<GatewayActivities, 'pollTask' | 'cancelTask'>>({
    taskQueue: taskQueues.gateway,
    startToCloseTimeout: of.clocks.submitTryMs,
    scheduleToCloseTimeout: of.withinMs,
    retry: { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '10 s' },
    summary: of.summary,
  });

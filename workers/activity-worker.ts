import { type NativeConnection, Worker } from '@temporalio/worker';
import { coreActivities, gatewayActivities, translating } from '../activities/index.ts';
import { limits } from '../contracts/limits.ts';
import { taskQueues } from '../contracts/temporal.ts';
import type { Log } from '../platform/log.ts';

export type ActivityWorkerDeps = {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly log: Log;
  readonly core: Parameters<typeof coreActivities>[0];
  readonly gateway: Parameters<typeof gatewayActivities>[0];
};

/**
 * Two workers: one for the core queue, one for the gateway's, whose rate is limited for all
 * workers together so that a storm reaches the gateway evenly.
 */
export function createActivityWorkers(deps: ActivityWorkerDeps): Promise<readonly Worker[]> {
  const onUnexpected = (name: string, error: unknown) =>
    deps.log.error({ error, activity: name }, 'an activity failed');
  const common = {
    connection: deps.connection,
    namespace: deps.namespace,
    // At least the longest HTTP call of an activity, so that a stop does not tear one off.
    shutdownGraceTime: '5 s',
  } as const;
  return Promise.all([
    Worker.create({
      ...common,
      taskQueue: taskQueues.activities,
      activities: translating({ ...coreActivities(deps.core) }, onUnexpected),
    }),
    Worker.create({
      ...common,
      taskQueue: taskQueues.gateway,
      activities: translating({ ...gatewayActivities(deps.gateway) }, onUnexpected),
      maxTaskQueueActivitiesPerSecond: limits.gatewayActivitiesPerSecond,
    }),
  ]);
}

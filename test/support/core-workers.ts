import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { taskQueues } from '../../contracts/temporal.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import type { FakeActivities } from './workflow-environment.ts';

/** Workers of workflows and of activities, and with `gateway` of those of the gateway's queue; none runs yet. */
export async function makeWorkers(of: {
  readonly connection: NativeConnection;
  readonly activities: NonNullable<WorkerOptions['activities']>;
  readonly gateway: boolean;
  /** What an activity that hangs may keep at a shutdown; absent: as long as it likes. */
  readonly forceMs?: number;
  /** Absent: that of the product. */
  readonly bundle?: { readonly code: string };
}): Promise<readonly Worker[]> {
  const { connection, activities, forceMs, bundle = await workflowBundle() } = of;
  const queues = [taskQueues.activities, ...(of.gateway ? [taskQueues.gateway] : [])];
  const options = {
    ...{ connection, activities },
    ...(forceMs === undefined ? {} : { shutdownForceTime: forceMs }),
  };
  return Promise.all([
    Worker.create({
      ...{ ...options, taskQueue: taskQueues.workflows },
      workflowBundle: bundle,
    }),
    ...queues.map((taskQueue) => Worker.create({ ...options, taskQueue })),
  ]);
}

/** Workers of workflows and of the given activities on a real server, until `stop`. */
export async function startCoreWorkers(of: {
  readonly address: string;
  readonly activities: FakeActivities;
  /** They are those of the gateway's queue too. */
  readonly gateway?: boolean;
}): Promise<{ stop(): Promise<void> }> {
  const connection = await NativeConnection.connect({ address: of.address });
  const activities = { ...of.activities };
  const workers = await makeWorkers({ connection, activities, gateway: of.gateway ?? false });
  const running = Promise.all(workers.map((worker) => worker.run()));
  running.catch(() => {}); // Heard by whoever stops them.
  return {
    async stop() {
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
    },
  };
}

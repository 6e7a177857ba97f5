import { NativeConnection, Worker } from '@temporalio/worker';
import { taskQueues } from '../../contracts/temporal.ts';
import { workflowBundle } from './workflow-bundle.ts';
import type { FakeActivities } from './workflow-environment.ts';

/** Workers of workflows and of the given activities on a real server, until `stop`. */
export async function startCoreWorkers(of: {
  readonly address: string;
  readonly activities: FakeActivities;
  /** They are those of the gateway's queue too. */
  readonly gateway?: boolean;
}): Promise<{ stop(): Promise<void> }> {
  const connection = await NativeConnection.connect({ address: of.address });
  const activities = { ...of.activities } as Record<string, () => Promise<unknown>>;
  const queues = [taskQueues.activities, ...(of.gateway ? [taskQueues.gateway] : [])];
  const workers = await Promise.all([
    Worker.create({
      ...{ connection, taskQueue: taskQueues.workflows },
      workflowBundle: await workflowBundle(),
    }),
    ...queues.map((taskQueue) => Worker.create({ connection, taskQueue, activities })),
  ]);
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

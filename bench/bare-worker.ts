import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { bareSignal, bareThree } from './bare.workflow.ts';
import type { WallClock } from './wall-clock.ts';

export type BareActivities = {
  /** Unix milliseconds with a fraction. */
  startedAt(): Promise<number>;
};

const queues = { workflows: 'bench-workflows', activities: 'bench-activities' } as const;

export type BareWorker = {
  /** signalWithStart and one activity; resolves to the time the activity started. */
  signal(client: Client, name: string): Promise<number>;
  /** A workflow of three activities; resolves when it has closed. */
  three(client: Client, name: string): Promise<void>;
  stop(): Promise<void>;
};

/** Temporal with nothing of ours around it: the workers of the bare workflows, in this process. */
export async function startBareWorker(of: {
  readonly address: string;
  readonly wallClock: WallClock;
}): Promise<BareWorker> {
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address: of.address });
  const activities: BareActivities = { startedAt: async () => of.wallClock.now() };
  const workers = await Promise.all([
    Worker.create({
      connection,
      taskQueue: queues.workflows,
      workflowsPath: fileURLToPath(new URL('./bare.workflow.ts', import.meta.url)),
    }),
    Worker.create({ connection, taskQueue: queues.activities, activities }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  // Heard by `stop`, which waits for it.
  running.catch(() => undefined);
  return {
    async signal(client, name) {
      const handle = await client.workflow.signalWithStart<typeof bareSignal>('bareSignal', {
        workflowId: `bench:${name}`,
        taskQueue: queues.workflows,
        signal: 'go',
      });
      return handle.result();
    },
    async three(client, name) {
      await client.workflow.execute<typeof bareThree>('bareThree', {
        workflowId: `bench:${name}`,
        taskQueue: queues.workflows,
      });
    },
    async stop() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await connection.close();
    },
  };
}

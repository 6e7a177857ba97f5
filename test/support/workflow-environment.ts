import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type {
  CoreActivities,
  GatewayActivities,
  MailboxActivities,
} from '../../contracts/temporal.ts';
import { searchAttributes, taskQueues } from '../../contracts/temporal.ts';
import { eventually } from './eventually.ts';
import { serverPath } from './server-path.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** `temporal.api.enums.v1.IndexedValueType` of the types that we use. */
const indexedValueTypes = { Keyword: 2, Int: 3, Datetime: 6 } as const;

/** Activities of a test; all of a queue's or only those it needs. */
export type FakeActivities = Partial<CoreActivities & GatewayActivities & MailboxActivities>;

/** A time-skipping server with Fixpoint's search attributes. Stop it with `teardown()`. */
export async function timeSkipping(): Promise<TestWorkflowEnvironment> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    workerHeartbeatInterval: null,
    telemetryOptions: { logging: { filter: 'ERROR' } },
  });
  // The SDK gives the server 5 s to start, which may be too short on a box that is busy.
  const environment = await eventually(
    () =>
      TestWorkflowEnvironment.createTimeSkipping({
        server: { executable: { type: 'existing-path', path: serverPath('testServer') } },
      }),
    { withinMs: 30_000 },
  );
  await environment.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(
      Object.entries(searchAttributes).map(([name, type]) => [name, indexedValueTypes[type]]),
    ),
  });
  return environment;
}

/** Runs `work` beside workers of all three queues with the given fakes. */
export async function withWorkers<T>(
  environment: Pick<TestWorkflowEnvironment, 'nativeConnection'>,
  activities: FakeActivities,
  work: () => Promise<T>,
): Promise<T> {
  const connection = environment.nativeConnection;
  const given = { ...activities } as Record<string, (...args: never[]) => Promise<unknown>>;
  const workflows = await Worker.create({
    connection,
    taskQueue: taskQueues.workflows,
    workflowBundle: await workflowBundle(),
    activities: given,
  });
  const others = await Promise.all(
    [taskQueues.activities, taskQueues.gateway].map((taskQueue) =>
      Worker.create({ connection, taskQueue, activities: given }),
    ),
  );
  const [first, second] = others;
  if (first === undefined || second === undefined)
    throw new Error('two activity workers were made');
  return first.runUntil(() => second.runUntil(() => workflows.runUntil(work)));
}

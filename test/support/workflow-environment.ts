import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type {
  CoreActivities,
  GatewayActivities,
  MailboxActivities,
} from '../../contracts/activities.ts';
import { searchAttributes } from '../../contracts/temporal.ts';
import { eventually } from './eventually.ts';
import { serverPath } from './server-path.ts';
import { SharedWorkers } from './shared-workers.ts';

/** `temporal.api.enums.v1.IndexedValueType` of the types that we use. */
const indexedValueTypes = { Keyword: 2, Int: 3, Datetime: 6 } as const;

/** Activities of a test; all of a queue's or only those it needs. */
export type FakeActivities = Partial<CoreActivities & GatewayActivities & MailboxActivities>;

/** A query is answered in milliseconds, and in a second on a busy box. */
const queryMs = 5_000;

const shared = new WeakMap<TestWorkflowEnvironment, SharedWorkers>();

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
  boundQueries(environment);
  const workers = new SharedWorkers(environment.nativeConnection);
  shared.set(environment, workers);
  const teardown = environment.teardown.bind(environment);
  environment.teardown = async () => {
    await workers.stop();
    await teardown();
  };
  return environment;
}

/**
 * The time-skipping server never answers a query that comes while a run closes: such a one fails, to be
 * asked again.
 */
function boundQueries({ connection }: TestWorkflowEnvironment): void {
  const service = connection.workflowService;
  const query = service.queryWorkflow.bind(service) as typeof service.queryWorkflow;
  const bounded = (request: Parameters<typeof query>[0]) =>
    connection.withDeadline(Date.now() + queryMs, () => query(request));
  Object.assign(service, { queryWorkflow: bounded });
}

/**
 * Runs `work` beside workers of all three queues with the given fakes. The workers stay for the next
 * test until the environment is torn down.
 */
export function withWorkers<T>(
  environment: TestWorkflowEnvironment,
  activities: FakeActivities,
  work: () => Promise<T>,
): Promise<T> {
  const workers = shared.get(environment);
  if (workers === undefined) throw new Error('the environment is not one of timeSkipping()');
  return workers.lend(activities, work);
}

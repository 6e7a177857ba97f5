import type { NativeConnection } from '@temporalio/worker';
import { Worker } from '@temporalio/worker';
import { mailboxActivities, questionActivities, translating } from '../activities/index.ts';
import type { LocalActivities, MailboxActivities } from '../contracts/activities.ts';
import { limits } from '../contracts/limits.ts';
import { taskQueues } from '../contracts/temporal.ts';
import type { Log } from '../platform/log.ts';
import { workflowBundle } from './workflow-bundle.ts';

export type WorkflowWorkerDeps = {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly log: Log;
  readonly mailbox: Parameters<typeof mailboxActivities>[0];
  readonly questions: Parameters<typeof questionActivities>[0];
};

/** The worker of all workflows, with the local activities of mailboxes and repairs. */
export async function createWorkflowWorker(deps: WorkflowWorkerDeps): Promise<Worker> {
  const activities: MailboxActivities & LocalActivities = {
    ...mailboxActivities(deps.mailbox),
    ...questionActivities(deps.questions),
  };
  return Worker.create({
    connection: deps.connection,
    namespace: deps.namespace,
    taskQueue: taskQueues.workflows,
    workflowBundle: await workflowBundle(),
    activities: translating({ ...activities }, (name, error) =>
      deps.log.error({ error, activity: name }, 'a local activity failed'),
    ),
    maxCachedWorkflows: limits.cachedWorkflowsMax,
    shutdownGraceTime: '5 s',
  });
}

import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import {
  type ControlInput,
  type ControlState,
  queryNames,
  type RemediationEndedSignal,
  taskQueues,
  workflowIds,
  workflowTypes,
} from '../contracts/temporal.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { OpenTask } from './gateway-client.ts';

export type JanitorDeps = {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly gateway: {
    openTasks(): Promise<readonly OpenTask[]>;
    cancel(of: { key: string; reason: string }): Promise<void>;
  };
  readonly control: {
    isPresent(): Promise<boolean>;
    write(state: ControlState): Promise<void>;
  };
  readonly tellMailbox: (mailboxId: string, signal: RemediationEndedSignal) => Promise<void>;
  readonly janitorMs: number;
  readonly controlRefreshMs: number;
};

/** Rounds of the control look in which the cache is compared although it is there. */
const compareEvery = 15;

/**
 * Puts right what nobody else can: the kill switch's cache when Redis lost it (R6), tasks whose
 * workflow was terminated (R9), and mailboxes that wait for a repair that cannot speak any more.
 * Runs until `signal` is aborted; a round that fails is tried again at the next.
 */
export async function runJanitor(deps: JanitorDeps, signal: AbortSignal): Promise<void> {
  await Promise.all([
    everyRound(deps, signal, {
      name: 'control',
      ms: deps.controlRefreshMs,
      work: (round) => refreshControl(deps, round),
    }),
    everyRound(deps, signal, {
      name: 'closed workflows',
      ms: deps.janitorMs,
      work: () => tidyClosed(deps),
    }),
  ]);
}

async function everyRound(
  deps: JanitorDeps,
  signal: AbortSignal,
  of: {
    readonly name: string;
    readonly ms: number;
    readonly work: (round: number) => Promise<void>;
  },
): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    try {
      await of.work(round);
    } catch (error) {
      deps.log.warn({ error, round: of.name }, 'the janitor will try again');
    }
    await deps.clock.sleep(of.ms, signal).catch(() => undefined); // Aborted: the loop ends.
  }
}

/** Starts the control workflow if nobody has, and gives Redis its state when it is missing or old. */
export async function refreshControl(deps: JanitorDeps, round: number): Promise<void> {
  const isPresent = await deps.control.isPresent();
  if (isPresent && round % compareEvery !== 0) return;
  const initial: ControlInput = {
    state: { revision: 0, stopped: false, reason: '', by: '', at: 0 },
  };
  const handle = await deps.client.workflow.start(workflowTypes.control, {
    workflowId: workflowIds.control,
    taskQueue: taskQueues.workflows,
    args: [initial],
    workflowIdConflictPolicy: 'USE_EXISTING',
    staticSummary: 'kill switch',
  });
  await deps.control.write(await handle.query<ControlState>(queryNames.state));
}

/** One look at what closed without its own last word. */
export async function tidyClosed(deps: JanitorDeps): Promise<void> {
  const byReference = new Map<string, OpenTask[]>();
  for (const task of await deps.gateway.openTasks()) {
    if (!task.reference?.startsWith('remediation:')) continue;
    byReference.set(task.reference, [...(byReference.get(task.reference) ?? []), task]);
  }
  for (const [remediationId, tasks] of byReference) {
    if (await isOpen(deps.client, remediationId)) continue;
    for (const { key } of tasks) await deps.gateway.cancel({ key, reason: 'operator' });
    deps.log.info(
      { remediationId, tasks: tasks.length },
      'cancelled the tasks of a closed workflow',
    );
  }
  await tellMailboxes(deps);
}

async function isOpen(client: Client, workflowId: string): Promise<boolean> {
  try {
    const description = await client.workflow.getHandle(workflowId).describe();
    return description.status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function tellMailboxes(deps: JanitorDeps): Promise<void> {
  const since = new Date(deps.clock.now() - 3 * deps.janitorMs).toISOString();
  const query = `WorkflowType = "${workflowTypes.remediation}" AND ExecutionStatus IN ("Terminated", "Failed", "TimedOut") AND CloseTime > "${since}"`;
  for await (const { workflowId } of deps.client.workflow.list({ query })) {
    const [, policy, groupId] = workflowId.split(':');
    if (policy === undefined || groupId === undefined) continue;
    await deps.tellMailbox(workflowIds.mailbox(policy, groupId), {
      remediationId: workflowId,
      state: 'failed',
    });
  }
}

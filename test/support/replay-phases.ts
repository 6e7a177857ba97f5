import assert from 'node:assert/strict';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { AdmitAnswer } from '../../contracts/admission.ts';
import type { FrozenPolicy } from '../../contracts/frozen.ts';
import type { TaskSubmit } from '../../contracts/task.ts';
import {
  queryNames,
  type RemediationPhase,
  type RemediationProgress,
  signalNames,
  taskQueues,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { askedPlan } from './asked-repair.ts';
import {
  allGranted,
  anAlert,
  aRemediation,
  aReport,
  aRunbook,
  aStep,
  someSettings,
  someTargets,
} from './builders.ts';
import { eventually } from './eventually.ts';
import { guardedPlan, someGuards } from './fake-governor.ts';
import { aRollout } from './guarded-repair.ts';
import { type FakeActivities, withWorkers } from './workflow-environment.ts';

/** A phase at rest (rule R13), and how a workflow is brought there. */
export type Phase = {
  readonly name: string;
  readonly reach: (environment: TestWorkflowEnvironment) => Promise<WorkflowHandle>;
};

type Submit = { readonly key: string; readonly task: TaskSubmit };

/** A gateway whose tasks end at once while `ends(key)` says so. */
const fakes = (ends: (key: string) => boolean): FakeActivities => {
  const submit = async ({ key, task }: Submit) =>
    aReport(key, task, (ends(key) ? 's' : '.').repeat(task.targets.length));
  return {
    admitBatch: async ({ hosts }) => allGranted(hosts.length),
    planTargets: async () => ({
      kind: 'planned',
      targets: someTargets(2),
      resolved: [],
      skipped: [],
    }),
    submitTask: submit,
    probe: submit,
    pollTask: async () => null,
    cancelTask: async () => {},
    recordOutcome: async () => {},
    startRemediation: async ({ episodes }) => ({
      kind: 'started',
      settings: someSettings(),
      episodes: episodes.map(({ id }) => id),
    }),
    tellRemediation: async () => {},
  };
};

/** Waits until the workflow rests: its last event is a completed workflow task with `has` before it. */
async function resting(handle: WorkflowHandle, has: (types: readonly number[]) => boolean) {
  await eventually(async () => {
    const history = await handle.fetchHistory();
    const types = (history.events ?? []).map((event) => Number(event.eventType));
    if (!has(types)) throw new Error(`${handle.workflowId} is not at rest yet: ${types.join(' ')}`);
  });
}

const activityCompleted = 12;
const timerStarted = 17;
const signaled = 26;
const localActivityMarker = 25;
const endsWithTimer = (types: readonly number[]) => types.at(-1) === timerStarted;

function remediationAt(name: string, ends: (key: string) => boolean): Phase {
  return {
    name,
    reach: (environment) =>
      withWorkers(environment, fakes(ends), async () => {
        const remediationId = `remediation:restart-web:web~00000000:${name}-1`;
        const handle = await environment.client.workflow.start(workflowTypes.remediation, {
          workflowId: remediationId,
          taskQueue: taskQueues.workflows,
          args: [aRemediation({ remediationId })],
        });
        await resting(handle, endsWithTimer);
        return handle;
      }),
  };
}

/** A repair under guards, whose query `progress` says that it is in `phase`. */
function guardedAt(
  phase: RemediationPhase,
  activities: FakeActivities,
  policy: Partial<FrozenPolicy> = {},
): Phase {
  return {
    name: phase.replaceAll('_', '-'),
    reach: (environment) =>
      withWorkers(environment, { ...fakes(() => true), ...activities }, async () => {
        const remediationId = `remediation:restart-web:web~00000000:${phase}-1`;
        const handle = await environment.client.workflow.start(workflowTypes.remediation, {
          workflowId: remediationId,
          taskQueue: taskQueues.workflows,
          args: [
            aRemediation({
              remediationId,
              policy: { ...aRemediation().policy, guards: someGuards, ...policy },
              runbook: aRunbook({ steps: [aRollout('1 2', { mode: 'pause' })] }),
            }),
          ],
        });
        await eventually(async () => {
          const { state, reason } = await handle.query<RemediationProgress>(queryNames.progress);
          assert.deepEqual([state, typeof reason], [phase, 'string']);
        });
        return handle;
      }),
  };
}

/** Its newest wait came after its newest activity: nothing is under way but a task on hosts. */
const awaitsAnswer = (types: readonly number[]) =>
  types.lastIndexOf(timerStarted) > types.lastIndexOf(activityCompleted);

/** A repair whose proof failed, and whose undo is under way. */
const rollingBack: Phase = {
  name: 'rolling_back',
  reach: (environment) => {
    const submit = async ({ key, task }: Submit) => {
      const letter = key.includes('/verify/') ? 'f' : key.includes('/undo-') ? '.' : 's';
      return aReport(key, task, letter.repeat(task.targets.length));
    };
    const activities = { ...fakes(() => true), submitTask: submit, probe: submit };
    return withWorkers(environment, activities, async () => {
      const remediationId = 'remediation:restart-web:web~00000000:rolling_back-1';
      const { script, timeoutMs, retry } = aStep();
      const rollback = { script, timeoutMs, retry, contract: 'once' as const };
      const probe = { script, timeoutMs };
      const handle = await environment.client.workflow.start(workflowTypes.remediation, {
        workflowId: remediationId,
        taskQueue: taskQueues.workflows,
        args: [
          aRemediation({
            remediationId,
            runbook: aRunbook({ steps: [aStep({ rollback })], verify: { probe, withinMs: 1 } }),
          }),
        ],
      });
      await eventually(async () => {
        const { state, steps } = await handle.query<RemediationProgress>(queryNames.progress);
        assert.deepEqual([state, steps.at(-1)?.name], ['rolling_back', 'undo-restart']);
      });
      await resting(handle, awaitsAnswer);
      return handle;
    });
  },
};

const threeHosts = async () => guardedPlan({ hosts: 3, zones: 2, cap: 1 });
const refused: AdmitAnswer = {
  letters: 'b',
  refusals: [{ reason: 'busy', by: 'remediation:other:db~00000000:87654321-1', hosts: 1 }],
  services: [],
  of: [-1],
};

function mailboxAt(name: string, waitMs: number, isLingering: boolean): Phase {
  return {
    name,
    reach: (environment) =>
      withWorkers(
        environment,
        fakes(() => true),
        async () => {
          const handle = await environment.client.workflow.signalWithStart(workflowTypes.mailbox, {
            workflowId: `mailbox:restart-web:${name}`,
            taskQueue: taskQueues.workflows,
            args: [
              {
                policy: 'restart-web',
                groupId: name,
                group: [],
                settings: someSettings({ waitMs }),
              },
            ],
            signal: signalNames.alerts,
            signalArgs: [{ alerts: [anAlert()] }],
          });
          if (!isLingering) {
            await resting(handle, endsWithTimer);
            return handle;
          }
          await resting(handle, (types) => types.includes(localActivityMarker));
          const description = await handle.describe();
          const run = description.runId.replaceAll('-', '').slice(0, 8);
          await handle.signal(signalNames.remediationEnded, {
            remediationId: `remediation:restart-web:${name}:${run}-1`,
            state: 'verified',
          });
          await resting(
            handle,
            (types) => endsWithTimer(types) && types.filter((t) => t === signaled).length === 2,
          );
          return handle;
        },
      ),
  };
}

/** Every phase at rest that this version has. */
export const phases: readonly Phase[] = [
  mailboxAt('mailbox-collecting', 60_000, false),
  mailboxAt('mailbox-lingering', 0, true),
  remediationAt('batch-in-flight', () => false),
  guardedAt(
    'awaiting_approval',
    { planTargets: async () => askedPlan([0, 1, 2]) },
    { autonomy: 'approve', approval: { approvers: 2, expiresMs: 86_400_000 } },
  ),
  guardedAt('admitting', { planTargets: threeHosts, admitBatch: async () => refused }),
  guardedAt('paused', {
    planTargets: threeHosts,
    submitTask: async ({ key, task }) => aReport(key, task, 'f'.repeat(task.targets.length)),
  }),
  remediationAt('verifying', (key) => !key.includes('/verify/')),
  rollingBack,
];

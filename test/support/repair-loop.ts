import assert from 'node:assert/strict';
import { type Client, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { planTargets } from '../../activities/plan-targets.ts';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { mailboxActivities } from '../../activities/start-remediation.ts';
import type { ControlInput, ControlState } from '../../contracts/control.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import type { TaskReport, TaskSubmit } from '../../contracts/task.ts';
import {
  type AlertRef,
  type EpisodeChangedSignal,
  type RemediationInput,
  type RemediationResult,
  taskQueues,
  workflowIds,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { selectAgents } from '../../platform/agent-matchers.ts';
import { systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import type { PolicySet } from '../../platform/policy-files.ts';
import { breakerCalls } from '../../workers/breaker-calls.ts';
import { temporalMailboxes } from '../../workers/mailbox-signals.ts';
import { PolicyStore } from '../../workers/policy-store.ts';
import { remediationStarter } from '../../workers/remediation-starter.ts';
import { type StartGateDeps, startGate } from '../../workers/start-gate.ts';
import { aReport } from './builders.ts';
import { FakeGovernor } from './fake-governor.ts';
import type { FakeActivities } from './workflow-environment.ts';

export type LoopOptions = {
  readonly client: Client;
  readonly policies: PolicySet;
  readonly hosts: readonly string[];
  /** The storm that a policy is in. */
  readonly stormOf?: StartGateDeps['stormOf'];
  /** The letters with which a task ends, or null if it has not ended. All succeed if absent. */
  readonly outcome?: (of: TaskSubmit & { readonly key: string }) => string | null;
  readonly ended?: (result: RemediationResult) => Promise<void>;
  /** The time of the workflows, where it may be skipped. */
  readonly nowMs?: () => Promise<number>;
};

/**
 * The loop from the mailbox on, whole: only the hosts are not there, and the audit. Its alerts go in as a dispatcher puts them in.
 */
export class RepairLoop {
  readonly activities: FakeActivities;
  /** What every repair was started with, refused ones too, and how those ended that have ended. */
  readonly started: RemediationInput[] = [];
  readonly ended: RemediationResult[] = [];
  /** What running repairs were told by their mailboxes. */
  readonly told: ({ remediationId: string } & EpisodeChangedSignal)[] = [];
  readonly submitted: TaskSubmit[] = [];
  /** What workers read of the control workflow. */
  control: ControlState = { revision: 0, stopped: false, reason: '', by: '', at: 0 };
  readonly #workflowIds = new Set<string>();
  readonly #of: LoopOptions;

  constructor(of: LoopOptions) {
    this.#of = of;
    const { client } = of;
    const starter = remediationStarter({ client, crashPoints: noCrashPoints });
    const governor = new FakeGovernor();
    const store = new PolicyStore(of.policies);
    const breakers = breakerCalls({ client, clock: systemClock });
    let nowMs = 0;
    const gate = startGate({
      ...{ policies: store, massWindowMs: defaultClocks.massWindowMs },
      stormOf: of.stormOf ?? (async () => null),
      control: { read: async () => this.control },
      tryBreaker: (update) => breakers.try(update),
      clock: { ...systemClock, now: () => nowMs },
    });
    this.activities = {
      ...mailboxActivities({
        findPolicy: (name) => store.find(name),
        guards: async (asked) => {
          nowMs = (await of.nowMs?.()) ?? Date.now();
          return gate(asked);
        },
        start: (input) => {
          this.started.push(input);
          return starter.start(input);
        },
        startedWith: (id) => starter.startedWith(id),
        tell: (words) => {
          this.told.push(words);
          return starter.tell(words);
        },
        clocks: defaultClocks,
        callbackUrl: 'http://127.0.0.1:1/v1/callbacks/tasks',
      }),
      admitBatch: (input) => governor.admitBatch(input),
      planTargets: (input) => planTargets(planDeps(of.hosts), input),
      recordOutcome: async (input) => {
        this.ended.push(input.result);
        await recordOutcome(
          {
            governor: { releaseAll: async (id) => governor.free(id) },
            audit: { append: async () => {} },
            tellBreaker: (signal) => breakers.tell(signal),
            tellMailbox: (id, signal) => starter.tellMailbox(id, signal),
            counted: () => {},
            crash: noCrashPoints,
          },
          input,
        );
        await of.ended?.(input.result);
      },
      publishControl: async (state) => {
        if (state.revision > this.control.revision) this.control = state;
        return this.control.revision;
      },
      ...this.#gateway(),
    };
  }

  /** Hands alerts to the mailbox of a group; a resolved alone opens none. */
  async alert(policy: string, groupId: string, alerts: readonly AlertRef[]): Promise<void> {
    const found = this.#of.policies.policies.find(({ name }) => name === policy);
    this.#workflowIds.add(workflowIds.mailbox(policy, groupId));
    if (found === undefined) throw new Error(`no policy ${policy}`);
    await temporalMailboxes({ client: this.#of.client, clock: systemClock }).signal({
      address: { policy, groupId, group: [], settings: found.settings },
      alerts,
      withStart: alerts.some(({ status }) => status === 'firing'),
    });
  }

  /** Starts the control workflow, which breakers need; it never ends by itself. */
  startControl(): Promise<WorkflowHandle> {
    this.#workflowIds.add(workflowIds.control);
    const input: ControlInput = { state: this.control };
    return this.#of.client.workflow.start(workflowTypes.control, {
      workflowId: workflowIds.control,
      taskQueue: taskQueues.workflows,
      args: [input],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  }

  /**
   * Ends what lingers. Else its timer is due in another story of the environment, whose server then
   * waits with the time for workers that are gone.
   */
  async endAll(): Promise<void> {
    for (const id of this.#workflowIds) {
      await this.#of.client.workflow
        .getHandle(id)
        .terminate('seen')
        .catch((error: unknown) => assert.ok(error instanceof WorkflowNotFoundError));
    }
  }

  mailbox(policy: string, groupId: string) {
    return this.#of.client.workflow.getHandle(workflowIds.mailbox(policy, groupId));
  }

  #gateway(): FakeActivities {
    const tasks = new Map<string, TaskSubmit>();
    const report = (key: string): TaskReport | null => {
      const task = tasks.get(key);
      if (task === undefined) return null;
      const { outcome = () => 's'.repeat(task.targets.length) } = this.#of;
      return aReport(key, task, outcome({ ...task, key }) ?? '.'.repeat(task.targets.length));
    };
    const submit = async ({ key, task }: { key: string; task: TaskSubmit }) => {
      if (!tasks.has(key)) this.submitted.push(task);
      tasks.set(key, task);
      return report(key) as TaskReport; // It was put there just above.
    };
    return {
      submitTask: submit,
      probe: submit,
      pollTask: async ({ key }) => report(key),
      cancelTask: async () => {},
    };
  }
}

const planDeps = (hosts: readonly string[]) => ({
  inventory: async () => ({
    complete: true,
    agents: hosts.map((hostname, at) => ({
      agentId: `a${String(at).padStart(11, '0')}`,
      journalId: `j${String(at).padStart(25, '0')}`,
      labels: new Map([
        ['name', hostname],
        ['hostname', hostname],
      ]),
    })),
  }),
  tombstones: async (fingerprints: readonly string[]) => fingerprints.map(() => null),
  select: selectAgents,
  targetsMax: 100,
  blastRadius: undefined,
});

import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { SubmitInput } from '../../contracts/activities.ts';
import type { TaskReport, TaskSubmit } from '../../contracts/task.ts';
import {
  type Plan,
  type RemediationInput,
  type RemediationResult,
  taskQueues,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { aRemediation, aReport, someTargets } from './builders.ts';
import { eventsOf, timersOf } from './history.ts';
import { type FakeActivities, withWorkers } from './workflow-environment.ts';

/** A gateway whose tasks end as the test says, and that records what it was asked. */
export class ScriptedGateway {
  readonly submitted: { key: string; task: TaskSubmit }[] = [];
  /** `notAfter` of each: the workflow's time of submit plus a constant. */
  readonly submittedAtMs: number[] = [];
  readonly cancelled: string[] = [];
  polls = 0;
  /** Letters of a task by its key; `.` is still running. */
  letters: (key: string, task: TaskSubmit) => string = (_, task) => 's'.repeat(task.targets.length);
  /** Exit status that reports tell of every host that failed. */
  exitCode: number | null = null;
  /** Reason that reports tell of every host that did not succeed. */
  reason: string | null = null;
  /** Its reports tell of no more than the hosts they name. */
  isOld = false;
  /** Whether submit already tells the end, as a quick task's does. */
  endsAtOnce = false;
  onSubmit: (key: string, task: TaskSubmit) => Promise<void> = async () => {};
  /** A task that the submitter says was there before. */
  onAgain: (key: string) => Promise<void> | void = () => {};
  /** Called at each try to cancel; rejects while the gateway is away. */
  onCancel: () => Promise<void> = async () => {};
  onPoll: (key: string) => Promise<TaskReport | null> = async (key) => this.reportOf(key);

  reportOf(key: string): TaskReport {
    const found = this.submitted.find((submit) => submit.key === key);
    if (found === undefined) throw new Error(`never submitted: ${key}`);
    const report = aReport(key, found.task, this.letters(key, found.task), this);
    if (this.isOld) {
      delete report.notThere;
      delete report.notNow;
    }
    return report;
  }

  activities(plan: Plan): FakeActivities & { recorded: RemediationResult[] } {
    const recorded: RemediationResult[] = [];
    const submit = async ({ key, task, again }: SubmitInput) => {
      if (again) await this.onAgain(key);
      if (!this.submitted.some((known) => known.key === key)) {
        this.submitted.push({ key, task });
        this.submittedAtMs.push(task.notAfter);
      }
      // A test that failed stops the workers, and then nobody would answer what is asked here.
      await Promise.race([this.onSubmit(key, task), Context.current().cancelled]);
      const open = aReport(key, task, '.'.repeat(task.targets.length));
      return this.endsAtOnce ? this.reportOf(key) : open;
    };
    return {
      recorded,
      planTargets: async () => plan,
      submitTask: submit,
      probe: submit,
      pollTask: async ({ key }) => {
        this.polls += 1;
        return this.onPoll(key);
      },
      cancelTask: async ({ key }) => {
        await this.onCancel();
        this.cancelled.push(key);
      },
      recordOutcome: async ({ result }) => {
        recorded.push(result);
      },
    };
  }
}

/** A plan of `count` hosts, all of them about the first episode. */
export const planOf = (count: number): Plan => ({
  kind: 'planned',
  targets: someTargets(count),
  resolved: [],
  skipped: [],
});

let sequence = 0;

/** The id of the next repair that runs here. */
export const nextRepairId = (): string => {
  sequence += 1;
  return `remediation:restart-web:web~00000000:12345678-${sequence}`;
};

/** Runs one remediation on the time-skipping server to its end; says what was recorded and how long its last history is. */
export async function repairOn(
  environment: TestWorkflowEnvironment,
  of: {
    readonly gateway: ScriptedGateway;
    readonly plan?: Plan;
    readonly input?: Partial<RemediationInput>;
    /** In place of the scripted ones. */
    readonly activities?: FakeActivities;
    readonly during?: (handle: WorkflowHandle) => Promise<void>;
  },
) {
  const remediationId = of.input?.remediationId ?? nextRepairId();
  const scripted = of.gateway.activities(of.plan ?? planOf(2));
  const { recorded, ...activities } = { ...scripted, ...of.activities };
  return withWorkers(environment, activities, async () => {
    const handle = await environment.client.workflow.start(workflowTypes.remediation, {
      workflowId: remediationId,
      taskQueue: taskQueues.workflows,
      args: [aRemediation({ remediationId, ...of.input })],
    });
    await of.during?.(handle);
    const result: RemediationResult = await handle.result();
    const history = await handle.fetchHistory();
    return {
      id: remediationId,
      result,
      recorded,
      events: eventsOf(history),
      timers: timersOf(history),
    };
  });
}

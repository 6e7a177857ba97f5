import assert from 'node:assert/strict';
import { type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { FrozenApproval } from '../../contracts/frozen.ts';
import type { Plan, RemediationInput, RemediationProgress } from '../../contracts/temporal.ts';
import { aRemediation, aRunbook } from './builders.ts';
import { eventually } from './eventually.ts';
import { FakeGovernor, guardedPlan, someGuards } from './fake-governor.ts';
import { aRollout, quickGateway } from './guarded-repair.ts';
import { repairOn } from './scripted-gateway.ts';
import type { FakeActivities } from './workflow-environment.ts';

const hourMs = 3_600_000;

/** The digest of the plans here. */
export const planDigest = `sha256:${'ab'.repeat(32)}`;

/** A plan of these hosts, by number, with its digest. */
export function askedPlan(hosts: readonly number[]): Extract<Plan, { kind: 'planned' }> {
  const whole = guardedPlan({ hosts: Math.max(...hosts) + 1 });
  const { domains } = whole;
  return {
    ...whole,
    digest: planDigest,
    targets: hosts.flatMap((at) => whole.targets[at] ?? []),
    ...(domains === undefined
      ? {}
      : { domains: { ...domains, of: hosts.map((at) => domains.of[at] ?? 0) } }),
  };
}

/** Runs one repair that asks first, to its end; each time it plans it gets the next of `plans`. */
export async function askedRepair(
  environment: TestWorkflowEnvironment,
  of: {
    readonly plans?: readonly Plan[];
    readonly approval?: Partial<FrozenApproval>;
    readonly input?: Partial<RemediationInput>;
    readonly activities?: FakeActivities;
    /** Called before each plan, counted from 1. */
    readonly onPlan?: (made: number) => Promise<void>;
    /** Absent: it never asks. */
    readonly during?: (handle: WorkflowHandle) => Promise<void>;
  },
) {
  const { plans = [askedPlan([0, 1])] } = of;
  const gateway = quickGateway();
  const governor = new FakeGovernor();
  let planned = 0;
  const ended = await repairOn(environment, {
    gateway,
    input: {
      policy: {
        ...aRemediation().policy,
        guards: someGuards,
        autonomy: 'approve',
        approval: { approvers: 1, expiresMs: 24 * hourMs, ...of.approval },
      },
      runbook: aRunbook({ steps: [aRollout('1')] }),
      ...of.input,
    },
    activities: {
      admitBatch: (input) => governor.admitBatch(input),
      planTargets: async () => {
        const plan = plans[Math.min(planned, plans.length - 1)];
        planned += 1;
        await of.onPlan?.(planned);
        if (plan === undefined) throw new Error('no plan was given');
        return plan;
      },
      ...of.activities,
    },
    during: async (handle) => {
      if (of.during === undefined) return;
      await untilAsked(handle);
      await of.during(handle);
    },
  });
  const touched = gateway.submitted.flatMap(({ key, task }) =>
    key.includes('/restart/') ? task.targets.map(({ agentId }) => Number(agentId.slice(1))) : [],
  );
  return { ...ended, gateway, governor, touched, plans: planned };
}

export const progressOf = (handle: WorkflowHandle): Promise<RemediationProgress> =>
  handle.query<RemediationProgress>('progress');

/** Waits until it asks; with `added` until it asks about these new hosts. */
export const untilAsked = (handle: WorkflowHandle, added?: readonly string[]) =>
  eventually(async () => {
    const progress = await progressOf(handle);
    assert.equal(progress.state, 'awaiting_approval');
    if (added !== undefined) assert.deepEqual(progress.approval?.added, added);
    return progress;
  });

/** Answers; resolves with the update's own words. */
export const answer = (
  handle: WorkflowHandle,
  name: 'approve' | 'reject',
  update: Readonly<Record<string, unknown>>,
): Promise<string> => handle.executeUpdate<string, [unknown]>(name, { args: [update] });

/** What an update that is refused says, after its code. */
export async function refusalOf(update: Promise<unknown>): Promise<string> {
  try {
    await update;
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const cause = error.cause as ApplicationFailure; // Validators throw no other.
    return `${cause.type}: ${cause.message}`;
  }
  throw new Error('the update was accepted');
}

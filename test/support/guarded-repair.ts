import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { FrozenStep } from '../../contracts/frozen.ts';
import type { RemediationInput } from '../../contracts/temporal.ts';
import { aRemediation, aRunbook, aStep } from './builders.ts';
import { FakeGovernor, guardedPlan, someGuards } from './fake-governor.ts';
import { repairOn, ScriptedGateway } from './scripted-gateway.ts';
import type { FakeActivities } from './workflow-environment.ts';

/** Agent ids of a submit, as the numbers that `someTargets` gave them. */
export const numbersOf = (targets: readonly { readonly agentId: string }[]): readonly number[] =>
  targets.map(({ agentId }) => Number(agentId.slice(1)));

/** A gateway whose tasks end at once. */
export function quickGateway(letters?: ScriptedGateway['letters']): ScriptedGateway {
  const gateway = new ScriptedGateway();
  gateway.endsAtOnce = true;
  if (letters !== undefined) gateway.letters = letters;
  return gateway;
}

/** A step whose batches are cut by `expression`. */
export const aRollout = (
  expression: string,
  over: Partial<FrozenStep['rollout']> = {},
): FrozenStep => aStep({ rollout: { expression, maxFailures: 0, soakMs: 0, ...over } });

/** Runs one repair under guards to its end, beside a governor that keeps the caps of its plan. */
export async function guardedRepair(
  environment: TestWorkflowEnvironment,
  of: {
    readonly hosts: number;
    readonly zones?: number;
    readonly cap?: number;
    readonly steps: readonly FrozenStep[];
    readonly gateway?: ScriptedGateway;
    readonly governor?: FakeGovernor;
    readonly input?: Partial<RemediationInput>;
    /** In place of those that plan and run. */
    readonly activities?: FakeActivities;
    readonly during?: Parameters<typeof repairOn>[1]['during'];
  },
) {
  const { gateway = quickGateway(), governor = new FakeGovernor() } = of;
  const plan = guardedPlan(of);
  for (const [at, name] of (plan.domains?.names ?? []).entries()) {
    const cap = plan.domains?.caps[at] ?? null;
    if (cap !== null) governor.caps.set(name, cap);
  }
  const ended = await repairOn(environment, {
    gateway,
    plan,
    input: {
      policy: { ...aRemediation().policy, guards: someGuards },
      runbook: aRunbook({ steps: of.steps }),
      ...of.input,
    },
    activities: { admitBatch: (input) => governor.admitBatch(input), ...of.activities },
    ...(of.during === undefined ? {} : { during: of.during }),
  });
  const batches = gateway.submitted.flatMap(({ key, task }) =>
    key.includes('/verify/') ? [] : [task.targets.length],
  );
  return { ...ended, gateway, governor, batches };
}

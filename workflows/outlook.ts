import type { PlanOutlook } from '../contracts/temporal.ts';
import { hostsPerDomain } from '../domain/fault-domains.ts';
import { stepBatches } from '../domain/step-batches.ts';
import { isTrial } from './breaker-trial.ts';
import type { RunState } from './run-state.ts';

/** What the plan of a repair would do if every step succeeded on every host. It starts nothing. */
export function outlookOf(run: RunState): PlanOutlook {
  const positions = run.targets.map((_, position) => position);
  return {
    steps: run.input.runbook.steps.map((step) => {
      const plan = stepBatches(run, step, positions);
      const batches = plan.kind === 'planned' ? plan.batches : [];
      const sizes = isTrial(run) ? [1] : batches.map(({ length }) => length);
      return { name: step.name, batches: sizes };
    }),
    domains: domainsOf(run),
  };
}

function domainsOf({ domains }: RunState): PlanOutlook['domains'] {
  if (domains === null) return [];
  const counts = hostsPerDomain(domains);
  return domains.names.map((name, at) => ({
    name,
    hosts: counts[at] ?? 0,
    agents: domains.sizes[at] ?? 0,
    cap: domains.caps[at] ?? null,
  }));
}

import type { PlanDomains } from '../contracts/admission.ts';
import type { FrozenGuards, FrozenTargets, Share } from '../contracts/frozen.ts';
import type { Episode, Plan } from '../contracts/temporal.ts';
import { capsOf, domainSizes, planDomains } from './fault-domains.ts';
import { shareOf } from './share.ts';
import { type InventoryAgent, type SelectAgents, selectTargets } from './target-selection.ts';

export type HostsToPlan = {
  readonly targets: FrozenTargets;
  readonly episodes: readonly Episode[];
  readonly guards?: FrozenGuards;
  /** Labels of hosts that go into the plan, because scripts ask for them. */
  readonly hostValues?: readonly string[];
  /** Every enrolled agent. */
  readonly agents: readonly InventoryAgent[];
  readonly select: SelectAgents;
  readonly targetsMax: number;
  /** The configuration's, which holds for every policy. */
  readonly blastRadius: Share | undefined;
};

/**
 * The hosts of a repair and, where its policy has guards, where these stand with sizes and caps from the
 * whole inventory (rule X6). Who asks only what would be done gets the same answer.
 */
export function planHosts(of: HostsToPlan): Plan {
  const plan = withHostValues(selectTargets(of), of);
  const { guards } = of;
  if (plan.kind === 'held' || guards === undefined) return plan;
  const tooMany = aboveMaxTargets(plan, guards, of.agents.length);
  return tooMany ?? { ...plan, domains: domainsFor(of, plan, guards) };
}

/** What the runbook asks of its hosts. One that lacks a value is found when the scripts are filled in. */
function withHostValues(plan: Plan, { hostValues = [], agents }: HostsToPlan): Plan {
  if (plan.kind === 'held' || hostValues.length === 0) return plan;
  const labels = new Map(agents.map((agent) => [agent.agentId, agent.labels]));
  const targets = plan.targets.map((target) => {
    const own = hostValues.flatMap((name): [string, string][] => {
      const value = name === 'agentId' ? target.agentId : labels.get(target.agentId)?.get(name);
      return value === undefined ? [] : [[name, value]];
    });
    return { ...target, host: Object.fromEntries(own) };
  });
  return { ...plan, targets };
}

type Planned = Extract<Plan, { kind: 'planned' }>;

function aboveMaxTargets(
  { targets }: Planned,
  { maxTargets }: FrozenGuards,
  enrolled: number,
): Plan | null {
  if (maxTargets === undefined) return null;
  const allowed = shareOf(maxTargets, enrolled);
  if (targets.length <= allowed) return null;
  const limit = maxTargets === allowed ? `${allowed}` : `${maxTargets} of ${enrolled}: ${allowed}`;
  return {
    kind: 'held',
    reason: 'limit_exceeded',
    detail: `${targets.length} hosts, guards.maxTargets allows ${limit}; if they are all meant, raise it`,
  };
}

function domainsFor(
  { agents, blastRadius }: HostsToPlan,
  plan: Planned,
  guards: FrozenGuards,
): PlanDomains {
  const labels = new Map(agents.map((agent) => [agent.agentId, agent.labels]));
  const sizes = domainSizes(agents, guards);
  return planDomains({
    targets: plan.targets.map(({ agentId }) => ({
      agentId,
      labels: labels.get(agentId) ?? new Map(),
    })),
    sizes,
    caps: capsOf({ sizes, guards, blastRadius }),
    guards,
  });
}

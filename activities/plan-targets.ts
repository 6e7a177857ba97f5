import type { PlanDomains } from '../contracts/admission.ts';
import type { FrozenGuards, FrozenTargets, Share } from '../contracts/frozen.ts';
import type { Episode, Plan } from '../contracts/temporal.ts';
import { type ApprovedPlan, approvalDigestOf } from '../domain/approval-digest.ts';
import { FixpointError } from '../domain/errors.ts';
import { capsOf, domainSizes, planDomains } from '../domain/fault-domains.ts';
import { instantOf } from '../domain/instant.ts';
import { shareOf } from '../domain/share.ts';
import {
  type InventoryAgent,
  type SelectAgents,
  selectTargets,
} from '../domain/target-selection.ts';
import { sha256Hex } from '../platform/digest.ts';

export type PlanDeps = {
  /** Every enrolled agent; `complete` is false while the inventory is being rebuilt (rule X5). */
  readonly inventory: () => Promise<{
    readonly complete: boolean;
    readonly agents: readonly InventoryAgent[];
  }>;
  /** The latest known end of each fingerprint, RFC 3339 or a 20-digit nanosecond text; by position. */
  readonly tombstones: (fingerprints: readonly string[]) => Promise<readonly (string | null)[]>;
  readonly select: SelectAgents;
  readonly targetsMax: number;
  /** The configuration's, which holds for every policy. */
  readonly blastRadius: Share | undefined;
};

type PlanInput = {
  readonly targets: FrozenTargets;
  readonly episodes: readonly Episode[];
  readonly guards?: FrozenGuards;
  readonly signed?: Pick<ApprovedPlan, 'policyDigest' | 'runbookDigest' | 'scriptDigests'>;
};

/**
 * Works out the hosts of a repair and reads the tombstones of its episodes once more, because a
 * firing may have been held back while its resolved went by (rule R4). An inventory that is not
 * whole is an error that is tried again: partial never means all (invariant 6).
 */
export async function planTargets(deps: PlanDeps, input: PlanInput): Promise<Plan> {
  const { complete, agents } = await deps.inventory();
  if (!complete) {
    throw new FixpointError('inventory_incomplete', 'the inventory is not complete yet');
  }
  const plan = selectTargets({
    ...input,
    agents,
    select: deps.select,
    targetsMax: deps.targetsMax,
  });
  if (plan.kind === 'held') return plan;
  const { guards } = input;
  const tooMany = guards === undefined ? null : aboveMaxTargets(plan, guards, agents.length);
  if (tooMany !== null) return tooMany;
  const ends = await deps.tombstones(input.episodes.map(({ fingerprint }) => fingerprint));
  const resolved = input.episodes.filter((episode, at) => isOver(episode, ends[at] ?? null));
  return {
    ...plan,
    resolved: resolved.map(({ id }) => id),
    ...(input.signed === undefined ? {} : { digest: digestOf(plan, input.signed, input) }),
    ...(guards === undefined ? {} : { domains: domainsFor(deps, { plan, guards, agents }) }),
  };
}

type Planned = Extract<Plan, { kind: 'planned' }>;

const digestOf = (
  { targets }: Planned,
  signed: NonNullable<PlanInput['signed']>,
  { episodes }: PlanInput,
): string => approvalDigestOf({ ...signed, targets, episodes }, sha256Hex);

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

/** Where the hosts stand, with sizes and caps from the whole inventory (rule X6). */
function domainsFor(
  deps: PlanDeps,
  of: {
    readonly plan: Planned;
    readonly guards: FrozenGuards;
    readonly agents: readonly InventoryAgent[];
  },
): PlanDomains {
  const { guards, agents } = of;
  const labels = new Map(agents.map((agent) => [agent.agentId, agent.labels]));
  const sizes = domainSizes(agents, guards);
  return planDomains({
    targets: of.plan.targets.map(({ agentId }) => ({
      agentId,
      labels: labels.get(agentId) ?? new Map(),
    })),
    sizes,
    caps: capsOf({ sizes, guards, blastRadius: deps.blastRadius }),
    guards,
  });
}

function isOver(episode: Episode, end: string | null): boolean {
  if (end === null) return false;
  const endNs = /^\d{20}$/.test(end) ? BigInt(end) : instantOf(end);
  const startNs = instantOf(episode.startsAt);
  return endNs !== null && startNs !== null && startNs < endNs;
}

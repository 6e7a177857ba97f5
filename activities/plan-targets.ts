import type { FrozenGuards, FrozenTargets, Share } from '../contracts/frozen.ts';
import type { Episode, Plan } from '../contracts/temporal.ts';
import { type ApprovedPlan, approvalDigestOf } from '../domain/approval-digest.ts';
import { FixpointError } from '../domain/errors.ts';
import { instantOf } from '../domain/instant.ts';
import { planHosts } from '../domain/repair-plan.ts';
import type { InventoryAgent, SelectAgents } from '../domain/target-selection.ts';
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
  readonly hostValues?: readonly string[];
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
  const { select, targetsMax, blastRadius } = deps;
  const plan = planHosts({ ...input, agents, select, targetsMax, blastRadius });
  if (plan.kind === 'held') return plan;
  const ends = await deps.tombstones(input.episodes.map(({ fingerprint }) => fingerprint));
  const resolved = input.episodes.filter((episode, at) => isOver(episode, ends[at] ?? null));
  return {
    ...plan,
    resolved: resolved.map(({ id }) => id),
    ...(input.signed === undefined ? {} : { digest: digestOf(plan, input.signed, input) }),
  };
}

type Planned = Extract<Plan, { kind: 'planned' }>;

const digestOf = (
  { targets }: Planned,
  signed: NonNullable<PlanInput['signed']>,
  { episodes }: PlanInput,
): string => approvalDigestOf({ ...signed, targets, episodes }, sha256Hex);

function isOver(episode: Episode, end: string | null): boolean {
  if (end === null) return false;
  const endNs = /^\d{20}$/.test(end) ? BigInt(end) : instantOf(end);
  const startNs = instantOf(episode.startsAt);
  return endNs !== null && startNs !== null && startNs < endNs;
}

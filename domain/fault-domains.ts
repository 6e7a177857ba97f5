// Where a host stands when things fail together: its fault domains, how large each is, and how many
// of its hosts may be held at once. Every repair counts in the domains of all policies, so that two
// policies that divide the fleet in different ways still see one another (invariant 5).

import type { PlanDomains } from '../contracts/admission.ts';
import type { FrozenGuards, Share } from '../contracts/frozen.ts';
import { shareOf } from './share.ts';

type Labels = ReadonlyMap<string, string>;
type Agent = { readonly agentId: string; readonly labels: Labels };

/** Where a policy and the configuration say nothing: a quarter of a domain (decision 36). */
const defaultBlastRadius = '25%';

/** The domain of an agent that has none of a policy's labels. */
const nowhere = 'none';

/** An agent's domains, those of its own policy first, the widest first. Never empty. */
export function domainsOf(labels: Labels, guards: FrozenGuards): readonly string[] {
  const lists = [guards.domainBy, ...(guards.countedBy ?? [])];
  return [...new Set(lists.flatMap((list) => domainsBy(labels, list)))];
}

function domainsBy(labels: Labels, list: readonly string[]): readonly string[] {
  const found = list.flatMap((label) => {
    const value = labels.get(label);
    return value === undefined ? [] : [`${label}=${value}`];
  });
  return found.length === 0 ? [nowhere] : found;
}

/** Enrolled agents of each domain that has any. */
export function domainSizes(
  agents: readonly Agent[],
  guards: FrozenGuards,
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { labels } of agents) {
    for (const domain of domainsOf(labels, guards)) sizes.set(domain, (sizes.get(domain) ?? 0) + 1);
  }
  return sizes;
}

/**
 * How many hosts of each domain may be held at once: the smaller of the policy's blast radius, in the
 * domains of its own labels, and the one of the configuration, in all of them. A domain that nobody
 * limits is left out; a domain of its own is always limited.
 */
export function capsOf(of: {
  readonly sizes: ReadonlyMap<string, number>;
  readonly guards: FrozenGuards;
  /** The configuration's. */
  readonly blastRadius: Share | undefined;
}): ReadonlyMap<string, number> {
  const { domainBy, blastRadius: own } = of.guards;
  const caps = new Map<string, number>();
  for (const [domain, size] of of.sizes) {
    const isOwn = domain === nowhere || domainBy.some((label) => domain.startsWith(`${label}=`));
    const shares = [
      ...(of.blastRadius === undefined ? [] : [of.blastRadius]),
      ...(isOwn && own !== undefined ? [own] : []),
      ...(isOwn && own === undefined && of.blastRadius === undefined ? [defaultBlastRadius] : []),
    ];
    if (shares.length === 0) continue;
    caps.set(domain, Math.min(...shares.map((share) => shareOf(share, size))));
  }
  return caps;
}

/** How many hosts of a plan stand in each of its domains, in the order of their names: of all, or of some. */
export function hostsPerDomain(
  { names, places, of }: PlanDomains,
  positions: Iterable<number> = of.keys(),
): readonly number[] {
  const counts = new Array<number>(names.length).fill(0);
  for (const position of positions) {
    for (const name of places[of[position] ?? -1] ?? []) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** The domains of a plan's hosts as tables; `targets` are in the plan's order. */
export function planDomains(of: {
  readonly targets: readonly Agent[];
  readonly sizes: ReadonlyMap<string, number>;
  readonly caps: ReadonlyMap<string, number>;
  readonly guards: FrozenGuards;
}): PlanDomains {
  const names = new Map<string, number>();
  const places = new Map<string, { readonly at: number; readonly names: readonly number[] }>();
  const nameAt = (domain: string): number => {
    const known = names.get(domain);
    if (known === undefined) names.set(domain, names.size);
    return known ?? names.size - 1;
  };
  const placeOf = (labels: Labels): number => {
    const domains = domainsOf(labels, of.guards);
    const key = JSON.stringify(domains);
    const known = places.get(key);
    if (known !== undefined) return known.at;
    const at = places.size;
    places.set(key, { at, names: domains.map(nameAt) });
    return at;
  };
  const positions = of.targets.map(({ labels }) => placeOf(labels));
  return {
    names: [...names.keys()],
    sizes: [...names.keys()].map((name) => of.sizes.get(name) ?? 0),
    caps: [...names.keys()].map((name) => of.caps.get(name) ?? null),
    places: [...places.values()].map(({ names: found }) => found),
    of: positions,
  };
}

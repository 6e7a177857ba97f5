import type { PlanDomains } from '../contracts/admission.ts';
import type { Breaker } from '../contracts/breaker.ts';
import type { FrozenGuards, Share } from '../contracts/frozen.ts';
import type { GuardStanding } from '../contracts/guard-standing.ts';
import type { StandingStop } from '../contracts/stop.ts';
import type { Storm } from '../contracts/storm.ts';
import type { Plan } from '../contracts/temporal.ts';
import { hostsPerDomain } from './fault-domains.ts';
import { massLimit } from './mass-limit.ts';
import { keptShareOf, shareOf } from './share.ts';
import { allowCommand, scopeText, stopOfHost, stopOfPolicy, stopText } from './stop-scope.ts';
import type { InventoryAgent } from './target-selection.ts';

/** What is known of the fleet when a plan is looked at. */
export type FleetFacts = {
  readonly agents: readonly InventoryAgent[];
  /** Hosts of each domain that repairs hold now; null while nobody knows. */
  readonly held: ReadonlyMap<string, number> | null;
  /** Those of the agents that were heard lately. */
  readonly connected: ReadonlySet<string>;
  readonly stops: readonly StandingStop[];
  /** Breakers that are not closed, of any policy. */
  readonly breakers: readonly Breaker[];
};

type Planned = Extract<Plan, { kind: 'planned' }>;

/** Agents belong to the service of this label (rule X6). */
const serviceLabel = 'service';

/** Where the guards of a plan stand now: stops, the number of its hosts, caps and floors. */
export function planGuards(of: {
  readonly policy: string;
  readonly plan: Planned;
  readonly guards: FrozenGuards;
  readonly fleet: FleetFacts;
}): readonly GuardStanding[] {
  const { plan, guards, fleet } = of;
  return [
    ...stopGuards(of.policy, plan, fleet),
    ...maxTargets(plan, guards, fleet.agents.length),
    ...(plan.domains === undefined ? [] : caps(plan.domains, fleet.held)),
    ...floors(plan, guards, fleet),
  ];
}

function stopGuards(policy: string, plan: Planned, fleet: FleetFacts): readonly GuardStanding[] {
  const all = stopOfPolicy(fleet.stops, policy);
  const labels = new Map(fleet.agents.map((agent) => [agent.agentId, agent.labels]));
  const found = plan.targets.flatMap(
    ({ agentId }) => stopOfHost(fleet.stops, (name) => labels.get(agentId)?.get(name)) ?? [],
  );
  const stops = all === null ? [...new Set(found)] : [all, ...new Set(found)];
  return stops.map((stop) => ({
    guard: 'control stop',
    limit: `nothing of ${scopeText(stop.scope)} starts`,
    use: stopText(stop),
    slack: 'none',
    ...{ holds: true, untilMs: null, remedy: allowCommand(stop.scope) },
  }));
}

/** Whether so many hosts alert that nothing is repaired (rule R14); `alerting` are those of these alerts. */
export function massGuard(of: {
  readonly massHosts: Share | 'off' | undefined;
  readonly enrolled: number;
  readonly alerting: number;
  readonly storm: Storm | null;
}): GuardStanding {
  const { hosts, text } = massLimit(of.massHosts, of.enrolled);
  const alerting = of.storm?.hosts ?? of.alerting;
  const isOff = of.massHosts === 'off';
  return {
    guard: 'guards.massHosts',
    limit: isOff ? 'off' : `${hosts} hosts alert at once (${text})`,
    use: `${alerting} ${of.storm === null ? 'by these alerts' : 'alert now'}`,
    slack: isOff ? null : left(hosts, alerting),
    holds: of.storm !== null || alerting > hosts,
    untilMs: of.storm?.untilMs ?? null,
    remedy: 'look for what so many hosts share; or raise guards.massHosts',
  };
}

function maxTargets(
  { targets }: Planned,
  guards: FrozenGuards,
  enrolled: number,
): readonly GuardStanding[] {
  if (guards.maxTargets === undefined) return [];
  const allowed = shareOf(guards.maxTargets, enrolled);
  return [
    {
      guard: 'guards.maxTargets',
      limit: `${allowed} hosts (${guards.maxTargets} of ${enrolled} enrolled)`,
      use: `${targets.length} hosts`,
      slack: left(allowed, targets.length),
      holds: targets.length > allowed,
      untilMs: null,
      remedy: 'raise guards.maxTargets if they are all meant',
    },
  ];
}

/** `held` of another moment than the plan's: what is free now may be taken by the time it starts. */
function caps(domains: PlanDomains, held: FleetFacts['held']): readonly GuardStanding[] {
  const counts = hostsPerDomain(domains);
  return domains.names.flatMap((domain, at): readonly GuardStanding[] => {
    const cap = domains.caps[at] ?? null;
    if (cap === null) return [];
    const used = held?.get(domain) ?? 0;
    const known = held === null ? 'held: not known now' : `${used} held now`;
    return [
      {
        guard: `guards.blastRadius ${domain}`,
        limit: `${cap} of ${domains.sizes[at] ?? 0} agents at once`,
        use: `${known}, ${counts[at] ?? 0} hosts of this plan`,
        slack: held === null ? null : left(cap, used),
        holds: held === null || used >= cap,
        untilMs: null,
        remedy: 'hosts wait for their turn until others are proven; or raise guards.blastRadius',
      },
    ];
  });
}

function floors(
  { targets }: Planned,
  { floor }: FrozenGuards,
  { agents, connected }: FleetFacts,
): readonly GuardStanding[] {
  if (floor === undefined) return [];
  const planned = new Set(targets.map(({ agentId }) => agentId));
  const services = new Map<string, string[]>();
  for (const { agentId, labels } of agents) {
    const service = labels.get(serviceLabel);
    if (service !== undefined) services.set(service, [...(services.get(service) ?? []), agentId]);
  }
  return [...services].flatMap(([service, members]): readonly GuardStanding[] => {
    if (!members.some((agentId) => planned.has(agentId))) return [];
    const kept = keptShareOf(floor, members.length);
    const healthy = members.filter((agentId) => connected.has(agentId)).length;
    return [
      {
        guard: `guards.floor ${service}`,
        limit: `${kept} healthy hosts stay untouched (${floor} of ${members.length})`,
        use: `${healthy} healthy`,
        slack: left(healthy, kept),
        holds: healthy <= kept,
        untilMs: null,
        remedy: 'make more hosts of the service healthy, or lower guards.floor',
      },
    ];
  });
}

const left = (limit: number, used: number): string =>
  used >= limit ? 'none' : `${limit - used} of ${limit}`;

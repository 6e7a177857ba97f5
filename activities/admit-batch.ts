import type { AdmitAnswer, AdmitInput } from '../contracts/admission.ts';
import type { FrozenGuards, Share } from '../contracts/frozen.ts';
import type { StandingStop } from '../contracts/stop.ts';
import type { Admission, Floor, HostToHold, Release, Verdict } from '../domain/blast-radius.ts';
import { FixpointError } from '../domain/errors.ts';
import { capsOf, domainSizes } from '../domain/fault-domains.ts';
import { figuresOf, type HostVerdict } from '../domain/refusal-figures.ts';
import { keptShareOf } from '../domain/share.ts';
import { policyOfTask, stopOfHost, stopOfPolicy } from '../domain/stop-scope.ts';
import type { InventoryAgent } from '../domain/target-selection.ts';
import type { CrashPoints } from '../platform/crash-point.ts';

/** The governor as admissions need it. `fenced`: holds may be lost, and nothing changed (rule R6). */
type GovernorForAdmission = {
  admit(
    admission: Admission,
  ): Promise<{ kind: 'judged'; verdicts: readonly Verdict[] } | { kind: 'fenced' }>;
  release(of: Release): Promise<{ kind: 'released' | 'fenced' }>;
};

export type AdmitDeps = {
  readonly inventory: () => Promise<{
    readonly complete: boolean;
    readonly agents: readonly InventoryAgent[];
  }>;
  readonly governor: GovernorForAdmission;
  /** What is stopped now. Rejects while that is not known, which means stopped (invariant 4). */
  readonly stops: () => Promise<readonly StandingStop[]>;
  /** Those of the agents that have a session and were heard lately. */
  readonly connected: (agentIds: readonly string[]) => Promise<ReadonlySet<string>>;
  /** The configuration's, which holds for every policy. */
  readonly blastRadius: Share | undefined;
  /** How a number of hosts was judged: `granted`, `fenced`, or the reason of a refusal. */
  readonly judged: (result: string, hosts: number) => void;
  readonly crash: CrashPoints<'workflows'>;
};

/** Agents belong to the service of this label (rule X6). */
const serviceLabel = 'service';

/**
 * Lets go of hosts that are proven and asks for others, by caps and floors as they are now: hosts that
 * fell away since the plan leave less room (rule X6). Trying it again changes nothing: what is held is
 * granted again. While holds or inventory may lack a part it fails, and nobody passes (invariant 6).
 * Nobody of a stopped policy is granted, nor a host of a stopped domain.
 */
export async function admitBatch(deps: AdmitDeps, input: AdmitInput): Promise<AdmitAnswer> {
  const { remediationId, guards } = input;
  const stops = await deps.stops();
  const stop = stopOfPolicy(stops, policyOfTask(remediationId));
  if (stop !== null) return policyStopped(deps, input, stop);
  const { complete, agents } = await deps.inventory();
  if (!complete) {
    throw new FixpointError('inventory_incomplete', 'the inventory is not complete yet');
  }
  const services = new Map(
    agents.map(({ agentId, labels }) => [agentId, labels.get(serviceLabel)]),
  );
  const stopOf = stoppedHosts(stops, agents);
  const all = await hostsOf(deps, input, services);
  const hosts = all.filter(({ agentId }) => stopOf(agentId) === null);
  const caps = capsOf({
    sizes: domainSizes(agents, guards),
    guards,
    blastRadius: deps.blastRadius,
  });
  const floors = await floorsOf(deps, { hosts, guards, services });
  deps.crash('before-admit');
  await released(deps, { remediationId, agentIds: input.release });
  const admitted =
    hosts.length === 0
      ? nobodyAsked
      : await deps.governor.admit({ remediationId, hosts, caps, floors });
  if (admitted.kind === 'fenced') throw fenced(deps, hosts.length);
  deps.crash('after-admit');
  const judged = admitted.verdicts.values();
  const { letters, refusals } = figuresOf(
    all.flatMap(({ agentId }): readonly HostVerdict[] => {
      const standing = stopOf(agentId);
      if (standing !== null) return [{ kind: 'refused', reason: 'stopped', stop: standing }];
      const { value } = judged.next();
      return value === undefined ? [] : [value];
    }),
  );
  for (const [letter, result] of results) {
    const count = letters.split(letter).length - 1;
    if (count > 0) deps.judged(result, count);
  }
  return { letters, refusals, ...tableOf(all) };
}

const nobodyAsked = { kind: 'judged', verdicts: [] } as const;

const results = [
  ['g', 'granted'],
  ['b', 'busy'],
  ['c', 'cap_reached'],
  ['f', 'floor'],
  ['s', 'stopped'],
] as const;

/** What is proven is free all the same, so that a stop holds up no other policy. */
async function policyStopped(
  deps: AdmitDeps,
  { remediationId, release, hosts }: AdmitInput,
  stop: StandingStop,
): Promise<AdmitAnswer> {
  await released(deps, { remediationId, agentIds: release });
  deps.judged('stopped', hosts.length);
  return {
    letters: 's'.repeat(hosts.length),
    refusals: [{ reason: 'stopped', stop, hosts: hosts.length }],
    services: [],
    of: hosts.map(() => -1),
    stop,
  };
}

/** The stop of the domain that an agent stands in, or null. */
function stoppedHosts(
  stops: readonly StandingStop[],
  agents: readonly InventoryAgent[],
): (agentId: string) => StandingStop | null {
  if (stops.length === 0) return () => null;
  const labels = new Map(agents.map((agent) => [agent.agentId, agent.labels]));
  return (agentId) => stopOfHost(stops, (name) => labels.get(agentId)?.get(name));
}

/** Nothing may change while holds can be lost; whoever waits is told why in the failure of its try. */
function fenced(deps: AdmitDeps, hosts: number): FixpointError {
  deps.judged('fenced', hosts);
  return new FixpointError(
    'upstream_unavailable',
    'Redis may have lost which hosts are held; nobody is admitted until that is known again',
  );
}

async function released(deps: AdmitDeps, of: Release): Promise<void> {
  if (of.agentIds.length === 0) return;
  const outcome = await deps.governor.release(of);
  if (outcome.kind === 'fenced') throw fenced(deps, 0);
}

type Services = ReadonlyMap<string, string | undefined>;

async function hostsOf(
  deps: AdmitDeps,
  input: AdmitInput,
  services: Services,
): Promise<readonly HostToHold[]> {
  const connected = await deps.connected(input.hosts);
  return input.hosts.map((agentId, at) => {
    const service = services.get(agentId) ?? null;
    return {
      agentId,
      domains: input.places[input.of[at] ?? -1] ?? [],
      service,
      isHealthy: service !== null && connected.has(agentId),
    };
  });
}

/** Of the services that the hosts belong to; a policy without a floor has none to keep. */
async function floorsOf(
  deps: AdmitDeps,
  of: {
    readonly hosts: readonly HostToHold[];
    readonly guards: FrozenGuards;
    readonly services: Services;
  },
): Promise<ReadonlyMap<string, Floor>> {
  const { floor } = of.guards;
  if (floor === undefined) return new Map();
  const asked = new Set(of.hosts.flatMap(({ service }) => service ?? []));
  const members = new Map<string, string[]>([...asked].map((service) => [service, []]));
  for (const [agentId, service] of of.services) members.get(service ?? '')?.push(agentId);
  const connected = await deps.connected([...members.values()].flat());
  return new Map(
    [...members].map(([service, agentIds]) => [
      service,
      {
        floor: keptShareOf(floor, agentIds.length),
        healthy: agentIds.filter((agentId) => connected.has(agentId)).length,
      },
    ]),
  );
}

function tableOf(hosts: readonly HostToHold[]): Pick<AdmitAnswer, 'services' | 'of'> {
  const services: string[] = [];
  const of = hosts.map(({ service, isHealthy }) => {
    if (service === null || !isHealthy) return -1;
    const known = services.indexOf(service);
    return known >= 0 ? known : services.push(service) - 1;
  });
  return { services, of };
}

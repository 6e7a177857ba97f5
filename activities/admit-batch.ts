import type { AdmitAnswer, AdmitInput } from '../contracts/admission.ts';
import type { FrozenGuards, Share } from '../contracts/frozen.ts';
import type { Admission, Floor, HostToHold, Release, Verdict } from '../domain/blast-radius.ts';
import { FixpointError } from '../domain/errors.ts';
import { capsOf, domainSizes } from '../domain/fault-domains.ts';
import { figuresOf } from '../domain/refusal-figures.ts';
import { keptShareOf } from '../domain/share.ts';
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
  /** Those of the agents that have a session and were heard lately. */
  readonly connected: (agentIds: readonly string[]) => Promise<ReadonlySet<string>>;
  /** The configuration's, which holds for every policy. */
  readonly blastRadius: Share | undefined;
  /** How a number of hosts was judged: `granted`, `fenced`, or the reason of a refusal. */
  readonly judged: (result: string, hosts: number) => void;
  readonly crash: CrashPoints<'activities'>;
};

/** Agents belong to the service of this label (rule X6). */
const serviceLabel = 'service';

/**
 * Lets go of hosts that are proven and asks for others, by caps and floors as they are now: hosts that
 * fell away since the plan leave less room (rule X6). Trying it again changes nothing: what is held is
 * granted again. While holds or inventory may lack a part it fails, and nobody passes (invariant 6).
 */
export async function admitBatch(deps: AdmitDeps, input: AdmitInput): Promise<AdmitAnswer> {
  const { remediationId, guards } = input;
  const { complete, agents } = await deps.inventory();
  if (!complete) {
    throw new FixpointError('inventory_incomplete', 'the inventory is not complete yet');
  }
  const services = new Map(
    agents.map(({ agentId, labels }) => [agentId, labels.get(serviceLabel)]),
  );
  const hosts = await hostsOf(deps, input, services);
  const caps = capsOf({
    sizes: domainSizes(agents, guards),
    guards,
    blastRadius: deps.blastRadius,
  });
  const floors = await floorsOf(deps, { hosts, guards, services });
  deps.crash('before-admit');
  await released(deps, { remediationId, agentIds: input.release });
  const admitted = await deps.governor.admit({ remediationId, hosts, caps, floors });
  if (admitted.kind === 'fenced') throw fenced(deps, hosts.length);
  deps.crash('after-admit');
  const { letters, refusals } = figuresOf(admitted.verdicts);
  for (const [letter, result] of results) {
    const count = letters.split(letter).length - 1;
    if (count > 0) deps.judged(result, count);
  }
  return { letters, refusals, ...tableOf(hosts) };
}

const results = [
  ['g', 'granted'],
  ['b', 'busy'],
  ['c', 'cap_reached'],
  ['f', 'floor'],
] as const;

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

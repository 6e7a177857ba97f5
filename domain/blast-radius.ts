// How many hosts may be touched at once (invariant 5): a host has one holder, a fault domain has no
// more held hosts than its cap, and a service keeps its floor of healthy ones. Holds end by release
// alone; there is no time in here (rule X2). This is the model of what Redis does in one step
// (`redis/governor.ts`), and both give the same verdicts.

/** A host that a repair wants to touch. */
export type HostToHold = {
  readonly agentId: string;
  readonly domains: readonly string[];
  /** The service whose floor counts it, if it belongs to one. */
  readonly service: string | null;
  /** Whether it is among the `healthy` of that service's floor now: connected, not alerting (rule X6). */
  readonly isHealthy: boolean;
};

export type Floor = {
  /** Healthy hosts that must be left untouched. */
  readonly floor: number;
  /** Healthy hosts of the service now, those that are held included. */
  readonly healthy: number;
};

/** Caps and floors are whole numbers; a domain or service without one has no limit. */
export type Admission = {
  readonly remediationId: string;
  readonly hosts: readonly HostToHold[];
  readonly caps: ReadonlyMap<string, number>;
  readonly floors: ReadonlyMap<string, Floor>;
};

export type Release = { readonly remediationId: string; readonly agentIds: readonly string[] };

export type Verdict =
  | { readonly kind: 'granted' }
  /** `by` is the remediation that holds the host. */
  | { readonly kind: 'refused'; readonly reason: 'held'; readonly by: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'cap';
      readonly domain: string;
      readonly limit: number;
      /** Hosts of the domain held just then, by whomever. */
      readonly used: number;
    }
  | {
      readonly kind: 'refused';
      readonly reason: 'floor';
      readonly service: string;
      readonly floor: number;
      /** Healthy hosts of the service that nobody held just then. */
      readonly available: number;
    };

/** A host that a remediation may touch, until it releases it. */
export type Hold = {
  readonly remediationId: string;
  readonly domains: readonly string[];
  readonly service: string | null;
  /** When it was admitted: it counts against its service's floor until it is released. */
  readonly wasHealthy: boolean;
};

/** All holds, by agent id. */
export type Holds = ReadonlyMap<string, Hold>;

/**
 * Judges hosts one after the other, each grant counting for those after it; `verdicts` are in the
 * order of the hosts. What the same remediation holds already is granted again and stays as it is,
 * so asking twice changes nothing.
 */
export function admit(
  holds: Holds,
  admission: Admission,
): { readonly holds: Holds; readonly verdicts: readonly Verdict[] } {
  const after = new Map(holds);
  const counts = countsOf(holds);
  const verdicts = admission.hosts.map((host): Verdict => {
    const holder = after.get(host.agentId)?.remediationId;
    if (holder === admission.remediationId) return { kind: 'granted' };
    if (holder !== undefined) return { kind: 'refused', reason: 'held', by: holder };
    const refusal = overCap(host, admission, counts) ?? belowFloor(host, admission, counts);
    if (refusal !== null) return refusal;
    const hold = {
      remediationId: admission.remediationId,
      domains: [...new Set(host.domains)],
      service: host.service,
      wasHealthy: host.isHealthy,
    };
    after.set(host.agentId, hold);
    count(counts, hold);
    return { kind: 'granted' };
  });
  return { holds: after, verdicts };
}

/** Frees those of the hosts that the remediation holds; others' holds and what is free already stay. */
export function release(holds: Holds, { remediationId, agentIds }: Release): Holds {
  const after = new Map(holds);
  for (const agentId of agentIds) {
    if (after.get(agentId)?.remediationId === remediationId) after.delete(agentId);
  }
  return after;
}

/** Frees every host that the remediation holds. May be repeated. */
export const releaseAll = (holds: Holds, remediationId: string): Holds =>
  release(holds, { remediationId, agentIds: [...holds.keys()] });

/** How many hosts of each domain are held, and how many of each service that were healthy. */
type Counts = { readonly domains: Map<string, number>; readonly services: Map<string, number> };

/** Only of domains and services that have any. */
export function countsOf(holds: Holds): Counts {
  const counts: Counts = { domains: new Map(), services: new Map() };
  for (const hold of holds.values()) count(counts, hold);
  return counts;
}

function count({ domains, services }: Counts, { domains: of, service, wasHealthy }: Hold): void {
  for (const domain of of) domains.set(domain, (domains.get(domain) ?? 0) + 1);
  if (service !== null && wasHealthy) services.set(service, (services.get(service) ?? 0) + 1);
}

function overCap(host: HostToHold, { caps }: Admission, counts: Counts): Verdict | null {
  for (const domain of host.domains) {
    const limit = caps.get(domain) ?? Number.POSITIVE_INFINITY;
    const used = counts.domains.get(domain) ?? 0;
    if (used + 1 > limit) return { kind: 'refused', reason: 'cap', domain, limit, used };
  }
  return null;
}

/** A host that is not healthy takes nothing from its service. */
function belowFloor(host: HostToHold, { floors }: Admission, counts: Counts): Verdict | null {
  const { service } = host;
  if (service === null || !host.isHealthy) return null;
  const of = floors.get(service);
  if (of === undefined) return null;
  const available = of.healthy - (counts.services.get(service) ?? 0);
  if (available - 1 >= of.floor) return null;
  return { kind: 'refused', reason: 'floor', service, floor: of.floor, available };
}

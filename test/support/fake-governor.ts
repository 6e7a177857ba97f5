import type { AdmitAnswer, AdmitInput } from '../../contracts/admission.ts';
import type { FrozenGuards } from '../../contracts/frozen.ts';
import type { StandingStop } from '../../contracts/stop.ts';
import type { Plan } from '../../contracts/temporal.ts';
import { admit, countsOf, type Holds, release, releaseAll } from '../../domain/blast-radius.ts';
import { domainSizes, planDomains } from '../../domain/fault-domains.ts';
import { figuresOf, type HostVerdict } from '../../domain/refusal-figures.ts';
import { policyOfTask, stopOfPolicy } from '../../domain/stop-scope.ts';
import { someTargets } from './builders.ts';

/** The governor's rules in memory; it remembers what it was asked, and how full each domain ever was. */
export class FakeGovernor {
  readonly asked: AdmitInput[] = [];
  /** By domain. */
  readonly caps = new Map<string, number>();
  readonly fullest = new Map<string, number>();
  holds: Holds = new Map();
  /** What is stopped, as the switch says it. */
  stops: readonly StandingStop[] = [];
  /** Called before each answer; rejects while holds are not to be trusted. */
  onAsk: (input: AdmitInput) => Promise<void> = async () => {};

  async admitBatch(input: AdmitInput): Promise<AdmitAnswer> {
    this.asked.push(input);
    await this.onAsk(input);
    const { remediationId } = input;
    this.holds = release(this.holds, { remediationId, agentIds: input.release });
    const stop = stopOfPolicy(this.stops, policyOfTask(remediationId));
    if (stop !== null) return policyStopped(input, stop);
    const all = input.hosts.map((agentId, at) => ({
      agentId,
      domains: input.places[input.of[at] ?? -1] ?? [],
      service: null,
      isHealthy: false,
    }));
    const stopped = (host: (typeof all)[number]) =>
      this.stops.find(({ scope }) => host.domains.includes(scope?.domain ?? '')) ?? null;
    const hosts = all.filter((host) => stopped(host) === null);
    const { holds, verdicts } = admit(this.holds, {
      ...{ remediationId, hosts, caps: this.caps, floors: new Map() },
    });
    const judged = verdicts.values();
    this.holds = holds;
    for (const [domain, count] of countsOf(holds).domains) {
      this.fullest.set(domain, Math.max(count, this.fullest.get(domain) ?? 0));
    }
    const figures = figuresOf(
      all.flatMap((host): readonly HostVerdict[] => {
        const own = stopped(host);
        if (own !== null) return [{ kind: 'refused', reason: 'stopped', stop: own }];
        const { value } = judged.next();
        return value === undefined ? [] : [value];
      }),
    );
    return { ...figures, services: [], of: all.map(() => -1) };
  }

  /** Another repair holds these. */
  hold(remediationId: string, agentIds: readonly string[], domain = 'zone=z0'): void {
    const holds = new Map(this.holds);
    for (const agentId of agentIds) {
      holds.set(agentId, { remediationId, domains: [domain], service: null, wasHealthy: false });
    }
    this.holds = holds;
  }

  free(remediationId: string): void {
    this.holds = releaseAll(this.holds, remediationId);
  }

  heldBy(remediationId: string): readonly string[] {
    return [...this.holds].flatMap(([agentId, hold]) =>
      hold.remediationId === remediationId ? [agentId] : [],
    );
  }
}

const policyStopped = ({ hosts }: AdmitInput, stop: StandingStop): AdmitAnswer => ({
  letters: 's'.repeat(hosts.length),
  refusals: [{ reason: 'stopped', stop, hosts: hosts.length }],
  services: [],
  of: hosts.map(() => -1),
  stop,
});

const guards: FrozenGuards = { domainBy: ['zone'], blastRadius: 100 };

/**
 * A plan of hosts that stand in `zones` zones in turn, `zone=z0` and so on, and `cap` of each may be
 * held at once; without one all.
 */
export function guardedPlan(of: {
  readonly hosts: number;
  readonly zones?: number;
  readonly cap?: number;
}): Extract<Plan, { kind: 'planned' }> {
  const { hosts, zones = 1, cap } = of;
  const targets = someTargets(hosts);
  const agents = targets.map(({ agentId }, at) => ({
    agentId,
    labels: new Map([['zone', `z${at % zones}`]]),
  }));
  const sizes = domainSizes(agents, guards);
  const caps = new Map(cap === undefined ? [] : [...sizes.keys()].map((zone) => [zone, cap]));
  return {
    kind: 'planned',
    targets,
    resolved: [],
    skipped: [],
    domains: planDomains({ targets: agents, sizes, caps, guards }),
  };
}

/** The guards of the policy that such a plan was made for. */
export const someGuards = guards;

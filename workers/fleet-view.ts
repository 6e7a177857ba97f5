import type { Alert } from '../contracts/alert.ts';
import { domainsOf } from '../domain/fault-domains.ts';
import { massLimit } from '../domain/mass-limit.ts';
import {
  type AgentIndex,
  agentsAt,
  type InventoryAgent,
  indexAgents,
} from '../domain/target-selection.ts';
import type { Clock } from '../platform/clock.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';

export type FleetDeps = {
  /** The same list as long as it did not change. */
  readonly inventory: () => Promise<{ readonly agents: readonly InventoryAgent[] }>;
  readonly clock: Clock;
};

const lookEveryMs = 5_000;

/**
 * The enrolled agents as a dispatcher counts by them: a few seconds old, which is no matter for a
 * count, and nothing is aimed by it. While the inventory is not complete it is taken as it is: fewer
 * hosts make limits smaller.
 */
export class FleetView {
  readonly #deps: FleetDeps;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #agents: readonly InventoryAgent[] = [];
  readonly #indexes = new Map<string, AgentIndex>();

  constructor(deps: FleetDeps) {
    this.#deps = deps;
  }

  /** Looks again if the last look is a while ago. Rejects if Redis does not answer. */
  async refresh(): Promise<void> {
    const now = this.#deps.clock.monotonic();
    if (now - this.#lookedAt < lookEveryMs) return;
    const { agents } = await this.#deps.inventory();
    if (agents !== this.#agents) this.#indexes.clear();
    this.#agents = agents;
    this.#lookedAt = now;
  }

  /** The one agent that an alert is about; null if there is none, or more than one. */
  agentOf(of: {
    readonly alert: Alert;
    readonly policy: LoadedPolicy;
    readonly host: string;
  }): InventoryAgent | null {
    const by = of.policy.frozen.targets.from?.by ?? 'hostname';
    const cloud = new Map(of.alert.labels).get('cloud_id') ?? '0';
    const found = agentsAt(this.#indexBy(by), { value: of.host, by, cloud });
    return found.length === 1 ? (found[0] ?? null) : null;
  }

  domainsOf({ labels }: InventoryAgent, policy: LoadedPolicy): readonly string[] {
    return domainsOf(labels, { domainBy: policy.spec.targets.domainBy });
  }

  /** How many hosts may alert at once, and where that comes from. */
  massLimitOf(policy: LoadedPolicy): { readonly hosts: number; readonly text: string } {
    return massLimit(policy.spec.guards.massHosts, this.#agents.length);
  }

  #indexBy(by: string): AgentIndex {
    const known = this.#indexes.get(by);
    if (known !== undefined) return known;
    const index = indexAgents(this.#agents, by);
    this.#indexes.set(by, index);
    return index;
  }
}

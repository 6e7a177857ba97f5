import type { ControlBody } from '../contracts/http.ts';
import type { StopScope } from '../contracts/stop.ts';
import { FixpointError } from '../domain/errors.ts';
import type { InventoryAgent } from '../domain/target-selection.ts';
import { nearName } from '../platform/near-name.ts';
import type { PolicySet } from '../platform/policy-files.ts';

export type ScopeDeps = {
  readonly policies: PolicySet;
  /** Every enrolled agent; `complete` is false while the inventory is being rebuilt (rule X5). */
  readonly inventory: () => Promise<{
    readonly complete: boolean;
    readonly agents: readonly InventoryAgent[];
  }>;
};

/**
 * What a request stops or allows; undefined is everything. A name that is mistyped would stop nothing
 * and look as if it did, so a stop must name a loaded policy, or a domain that some agent stands in;
 * what cannot be known now is believed. Whatever was stopped may be allowed again. Throws `not_found`.
 */
export async function scopeOf(deps: ScopeDeps, body: ControlBody): Promise<StopScope | undefined> {
  const { policy, domain, stopped } = body;
  if (policy !== undefined) {
    const names = deps.policies.policies.map(({ name }) => name);
    if (stopped && !names.includes(policy)) {
      throw notThere(`no policy is called ${policy}`, nearName(policy, names), listOf(names));
    }
    return { policy };
  }
  if (domain === undefined) return undefined;
  const domains = stopped ? await domainsIn(deps) : null;
  if (domains !== null && !domains.has(domain)) {
    throw notThere(
      `no enrolled agent has ${domain}`,
      nearName(domain, [...domains]),
      'see `fixpoint agent ls -o json`',
    );
  }
  return { domain };
}

/** All labels of all agents, as `zone=eu-1`; null while they are not known. */
async function domainsIn(deps: ScopeDeps): Promise<ReadonlySet<string> | null> {
  const inventory = await deps.inventory().catch(() => null);
  if (inventory === null || !inventory.complete) return null;
  const pairs = inventory.agents.flatMap(({ labels }) =>
    [...labels].map(([name, value]) => `${name}=${value}`),
  );
  return new Set(pairs);
}

const namedMax = 5;

const listOf = (names: readonly string[]): string =>
  names.length === 0 ? 'no policy is loaded' : `there is ${names.slice(0, namedMax).join(', ')}`;

const notThere = (message: string, near: string | null, otherwise: string): FixpointError =>
  new FixpointError('not_found', `${message}, so nothing was stopped`, {
    hint: near === null ? otherwise : `did you mean ${near}?`,
  });

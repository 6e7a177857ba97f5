// Which hosts go together. Two things hold whatever the hosts and caps are: every host is in exactly
// one batch, and no batch has more hosts of a fault domain than its cap, because such a batch could
// never be admitted whole (invariant 5). The same input always gives the same batches.

import { limits } from '../contracts/limits.ts';
import { type BatchPart, sizesOf } from './batch-expression.ts';
import { invariant } from './errors.ts';

/** A batch is a list of positions in the plan, in the order in which its hosts are to be admitted. */
export type BatchPlan =
  | { readonly kind: 'planned'; readonly batches: readonly (readonly number[])[] }
  /** `hostsLeft` would have no batch. */
  | { readonly kind: 'too_many_batches'; readonly hostsLeft: number };

/** Its fault domains, the widest first, as `zone` before `rack`. */
type Host = { readonly domains: readonly string[] };

/**
 * Hosts in the order in which they wait, as numbers side by side, because caps may make every batch
 * look at every host: the domains of host `at` are `domains` from `starts[at]` up to
 * `starts[at + 1]`, each a place in `caps`.
 */
type Fleet = {
  readonly positions: readonly number[];
  readonly starts: Uint32Array;
  readonly domains: Uint32Array;
  readonly caps: Float64Array;
};

type Batch = {
  readonly positions: number[];
  readonly size: number;
  /** Hosts it has of each domain. */
  readonly used: Uint32Array;
  /** Hosts that wait and whose widest domain still has room: without one no host needs a look. */
  hopeful: number;
};

/**
 * Spreads hosts over batches of the expression's sizes, round robin over fault domains; the first
 * batch, the canary, is taken from as many different ones as possible. Where a cap leaves no room a
 * batch is smaller than its size and the rest goes on in later batches, each of its own size.
 * `capOf` is asked once per domain and answers at least 1, `Infinity` where there is no cap.
 */
export function planBatches(of: {
  readonly hosts: readonly Host[];
  readonly parts: readonly BatchPart[];
  readonly capOf: (domain: string) => number;
}): BatchPlan {
  const fleet = fleetOf(of.hosts, of.capOf);
  const line = new Line(of.hosts.length);
  const inWidest = widestOf(fleet);
  const batches: number[][] = [];
  for (const size of sizesOf(of.parts, of.hosts.length)) {
    if (line.length === 0) break;
    if (batches.length === limits.rolloutBatchesMax) {
      return { kind: 'too_many_batches', hostsLeft: line.length };
    }
    const used = new Uint32Array(fleet.caps.length);
    const batch: Batch = { positions: [], size, used, hopeful: line.length };
    // A host brings fewer new domains with every one that is taken, never more: so each pass meets
    // only hosts that bring exactly `fresh`, and the best is always taken first.
    const freshest = batches.length === 0 ? levelsOf(of.hosts) : 0;
    for (let fresh = freshest; fresh >= 0; fresh--) fill(batch, { fleet, line, inWidest, fresh });
    batches.push(batch.positions);
  }
  return { kind: 'planned', batches };
}

function fleetOf(hosts: readonly Host[], capOf: (domain: string) => number): Fleet {
  const places = new Map<string, number>();
  const caps: number[] = [];
  const placeOf = (domain: string): number => {
    const known = places.get(domain);
    if (known !== undefined) return known;
    const cap = capOf(domain);
    invariant(cap >= 1, `the cap of ${domain} is ${cap}, and at least one host must fit`);
    places.set(domain, caps.length);
    return caps.push(cap) - 1;
  };
  const domains: number[] = [];
  const starts = [0];
  const positions = inRounds(hosts);
  for (const position of positions) {
    domains.push(...new Set(hosts[position]?.domains.map(placeOf)));
    starts.push(domains.length);
  }
  return {
    positions,
    starts: Uint32Array.from(starts),
    domains: Uint32Array.from(domains),
    caps: Float64Array.from(caps),
  };
}

/** How many hosts have each domain as their first. */
function widestOf({ positions, starts, domains, caps }: Fleet): Uint32Array {
  const counts = new Uint32Array(caps.length);
  for (const at of positions.keys()) {
    const [start, end] = [starts[at] ?? 0, starts[at + 1] ?? 0];
    if (start < end) add(counts, domains[start], 1);
  }
  return counts;
}

/** Counts up or down and returns the sum. */
function add(counts: Uint32Array, domain: number | undefined, by: number): number {
  const sum = (counts[domain ?? 0] ?? 0) + by;
  counts[domain ?? 0] = sum;
  return sum;
}

/**
 * All positions, one of each domain in turn: the first domain of the list rotates fastest, the
 * second within it, and so on. Any stretch of it is spread as evenly as the domains allow.
 */
function inRounds(hosts: readonly Host[]): readonly number[] {
  let order = hosts.map((_, position) => position);
  // The first domain last: each pass keeps the order of the one before within its domains.
  for (let level = levelsOf(hosts) - 1; level >= 0; level--) {
    const groups = new Map<string | undefined, number[]>(); // Those without a domain are one.
    for (const position of order) {
      const domain = hosts[position]?.domains[level];
      const group = groups.get(domain);
      if (group === undefined) groups.set(domain, [position]);
      else group.push(position);
    }
    order = inTurn([...groups.values()]);
  }
  return order;
}

/** One of each group, then another of each that has one, and so on. */
function inTurn(groups: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  let left = groups;
  for (let round = 0; left.length > 0; round++) {
    left = left.filter((group) => group.length > round);
    for (const group of left) order.push(...group.slice(round, round + 1));
  }
  return order;
}

const levelsOf = (hosts: readonly Host[]): number =>
  hosts.reduce((most, { domains }) => Math.max(most, domains.length), 0);

/** Who still waits of 0, 1, 2, …, in this order. */
class Line {
  /** Who comes after each; the last entry is who comes first. */
  readonly #next: Uint32Array;
  readonly #end: number;
  length: number;

  constructor(length: number) {
    this.#end = length;
    this.length = length;
    this.#next = Uint32Array.from({ length: length + 1 }, (_, at) => (at < length ? at + 1 : 0));
  }

  /** Takes out what `wants` says yes to, asked in order, for as long as `goesOn`. */
  take(goesOn: () => boolean, wants: (at: number) => boolean): void {
    let before = this.#end;
    while (goesOn()) {
      const at = this.#next[before] ?? this.#end;
      if (at === this.#end) return;
      if (wants(at)) {
        this.#next[before] = this.#next[at] ?? this.#end;
        this.length -= 1;
      } else before = at;
    }
  }
}

/** Takes hosts that fit and bring at least `fresh` domains that the batch has none of yet. */
function fill(
  batch: Batch,
  of: {
    readonly fleet: Fleet;
    readonly line: Line;
    readonly inWidest: Uint32Array;
    readonly fresh: number;
  },
): void {
  const { positions, starts, domains, caps } = of.fleet;
  const { used } = batch;
  const wants = (host: number): boolean => {
    const [start, end] = [starts[host] ?? 0, starts[host + 1] ?? 0];
    let fresh = 0;
    for (let at = start; at < end; at++) {
      const count = used[domains[at] ?? 0] ?? 0;
      if (count + 1 > (caps[domains[at] ?? 0] ?? 0)) return false;
      if (count === 0) fresh += 1;
    }
    if (fresh < of.fresh) return false;
    for (let at = start; at < end; at++) add(used, domains[at], 1);
    batch.positions.push(positions[host] ?? 0);
    batch.hopeful -= 1;
    if (start === end) return true;
    const widest = domains[start] ?? 0;
    const others = add(of.inWidest, widest, -1);
    if ((used[widest] ?? 0) + 1 > (caps[widest] ?? 0)) batch.hopeful -= others;
    return true;
  };
  of.line.take(() => batch.positions.length < batch.size && batch.hopeful > 0, wants);
}

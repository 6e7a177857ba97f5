import type { Redis } from 'ioredis';
import { limits } from '../contracts/limits.ts';
import type { Admission, Floor, Hold, Release, Verdict } from '../domain/blast-radius.ts';
import { invariant } from '../domain/errors.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { guarded } from './unavailable.ts';

const admit = script('governor-admit', 'governor-fence', 'governor-holds');
const release = script('governor-release', 'governor-fence', 'governor-holds');
const releaseAll = script('governor-release-all', 'governor-fence', 'governor-holds');
const rebuild = script('governor-rebuild', 'governor-fence');
const insert = script('governor-insert', 'governor-fence', 'governor-holds');
const reopen = script('governor-reopen', 'governor-fence', 'redis-time');
const state = script('governor-state', 'governor-fence');

/** Nothing changed: Redis may have lost holds, and gives none until they are rebuilt (rule R6). */
type Fenced = { readonly kind: 'fenced' };

/** Verdicts are in the order of the hosts. */
export type Admitted = { readonly kind: 'judged'; readonly verdicts: readonly Verdict[] } | Fenced;

export type Released = { readonly kind: 'released'; readonly hosts: number } | Fenced;

/** A host as the remediation that holds it remembers it. */
export type HeldHost = Omit<Hold, 'remediationId'> & { readonly agentId: string };

export type Rebuild =
  | { readonly kind: 'rebuilding'; readonly token: string }
  /** There is nothing to rebuild. */
  | { readonly kind: 'open' };

export type Inserted =
  | {
      readonly kind: 'inserted';
      /** Hosts that another remediation was given before; they stay there. */
      readonly heldByOthers: readonly { readonly agentId: string; readonly by: string }[];
    }
  /** Nothing changed: this rebuild is over, because another worker ended it or Redis was lost again. */
  | { readonly kind: 'over' };

const { governor } = keys;
const holdKeys = [
  ...[governor.meta, governor.held, governor.places],
  ...[governor.domains, governor.services, governor.holders],
];
const prefixes = [governor.domain(''), governor.service('')];

/** What every script that changes holds is given first; see `governor-holds.lua`. */
const holderOf = (remediationId: string): string[] => [
  ...[remediationId, governor.holder(remediationId)],
  ...prefixes,
];

/**
 * Who may touch which hosts, in Redis (invariant 5): the rules of `domain/blast-radius.ts`, each
 * call one atomic step. Holds never expire (rule X2). Rejects with `upstream_unavailable` only, and
 * then it is not known whether the step was made; every one may be repeated.
 */
export class Governor {
  readonly #redis: Redis;
  readonly #clock: Pick<Clock, 'randomBytes'>;

  constructor(of: { readonly redis: Redis; readonly clock: Pick<Clock, 'randomBytes'> }) {
    this.#redis = of.redis;
    this.#clock = of.clock;
  }

  /** Judges and holds a batch. What the remediation holds already is granted again. */
  async admit({ remediationId, hosts, caps, floors }: Admission): Promise<Admitted> {
    const args = [
      ...holderOf(remediationId),
      ...[JSON.stringify(limitsOf(caps)), JSON.stringify(floorsOf(floors))],
      ...hosts.flatMap((host) => [host.agentId, placeOf({ ...host, wasHealthy: host.isHealthy })]),
    ];
    return guarded(async () => {
      const words = (await admit(this.#redis, holdKeys, args)) as Word[] | null; // The script's words.
      if (words === null) return { kind: 'fenced' };
      return { kind: 'judged', verdicts: words.map((word) => verdictOf(word, { caps, floors })) };
    });
  }

  /** Frees those of the hosts that the remediation holds. */
  release({ remediationId, agentIds }: Release): Promise<Released> {
    return this.#freed(release, [...holderOf(remediationId), ...agentIds]);
  }

  /** Frees every host that the remediation holds. */
  releaseAll(remediationId: string): Promise<Released> {
    return this.#freed(releaseAll, holderOf(remediationId));
  }

  /**
   * Forgets the holds of a Redis that may have lost some, and begins to take them in again; joins
   * the rebuild of another worker. From here on no hold is given or freed until `reopen`.
   */
  beginRebuild(): Promise<Rebuild> {
    const fresh = Buffer.from(this.#clock.randomBytes(16)).toString('hex');
    const args = [fresh, ...prefixes, governor.holder('')];
    return guarded(async () => {
      const token = await rebuild(this.#redis, holdKeys, args);
      return token === null ? { kind: 'open' } : { kind: 'rebuilding', token: String(token) };
    });
  }

  /** Takes in what a remediation holds, whatever caps and floors say: these hosts are touched already. */
  async insert(of: {
    readonly token: string;
    readonly remediationId: string;
    readonly hosts: readonly HeldHost[];
  }): Promise<Inserted> {
    const heldByOthers: { agentId: string; by: string }[] = [];
    for (const hosts of slices(of.hosts, limits.holdsInsertedMax)) {
      const args = [
        ...[...holderOf(of.remediationId), of.token],
        ...hosts.flatMap((host) => [host.agentId, placeOf(host)]),
      ];
      const others = await guarded(() => insert(this.#redis, holdKeys, args));
      if (others === null) return { kind: 'over' };
      for (const [agentId, by] of others as [string, string][]) heldByOthers.push({ agentId, by });
    }
    return { kind: 'inserted', heldByOthers };
  }

  /** Ends the rebuild, once the holds of every open remediation are in; false if it is over already. */
  reopen(token: string): Promise<boolean> {
    return guarded(async () => (await reopen(this.#redis, [governor.meta], [token])) === 1);
  }

  /** Whether holds must be rebuilt before any is given or freed. */
  isFenced(): Promise<boolean> {
    return guarded(async () => (await state(this.#redis, [governor.meta], [])) !== 1);
  }

  /** Agent ids that the remediation holds, in no order. */
  holdsOf(remediationId: string): Promise<readonly string[]> {
    return guarded(() => this.#redis.smembers(governor.holder(remediationId)));
  }

  /** Every remediation that holds a host, in no order. */
  holders(): Promise<readonly string[]> {
    return guarded(() => this.#redis.smembers(governor.holders));
  }

  /** How many hosts of each domain are held; a domain without any may be left out. */
  heldByDomain(): Promise<ReadonlyMap<string, number>> {
    return guarded(async () => {
      const domains = await this.#redis.smembers(governor.domains);
      const counts = await Promise.all(
        domains.map((domain) => this.#redis.scard(governor.domain(domain))),
      );
      return new Map(domains.map((domain, at) => [domain, counts[at] ?? 0]));
    });
  }

  #freed(step: typeof release, args: readonly string[]): Promise<Released> {
    return guarded(async () => {
      const freed = await step(this.#redis, holdKeys, args);
      return freed === null ? { kind: 'fenced' } : { kind: 'released', hosts: Number(freed) };
    });
  }
}

/** Where a host counts, in the words of `governor-admit.lua`. */
const placeOf = ({ domains, service, wasHealthy }: Omit<Hold, 'remediationId'>): string =>
  JSON.stringify({
    domains: [...new Set(domains)],
    ...(service !== null && wasHealthy ? { service } : {}),
  });

/** Limits of those domains that have one. */
function limitsOf(caps: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  const limited = [...caps].filter(([, limit]) => limit !== Number.POSITIVE_INFINITY);
  for (const [domain, limit] of limited) {
    const isCount = Number.isSafeInteger(limit) && limit >= 0;
    invariant(isCount, `the cap of ${domain} is ${limit}, and must be a whole number`);
  }
  return Object.fromEntries(limited);
}

function floorsOf(floors: ReadonlyMap<string, Floor>): Readonly<Record<string, Floor>> {
  for (const [service, { floor, healthy }] of floors) {
    const areCounts = Number.isSafeInteger(floor) && Number.isSafeInteger(healthy);
    invariant(areCounts, `the floor of ${service} is ${floor} of ${healthy}: not whole numbers`);
  }
  return Object.fromEntries(floors);
}

/** What `governor-admit.lua` says of a host. */
type Word =
  | readonly []
  | readonly ['held', string]
  | readonly ['cap', string, number]
  | readonly ['floor', string, number];

function verdictOf(word: Word, { caps, floors }: Pick<Admission, 'caps' | 'floors'>): Verdict {
  switch (word[0]) {
    case undefined:
      return { kind: 'granted' };
    case 'held':
      return { kind: 'refused', reason: 'held', by: word[1] };
    case 'cap': {
      const [, domain, used] = word;
      return { kind: 'refused', reason: 'cap', domain, limit: caps.get(domain) ?? 0, used };
    }
    case 'floor': {
      const [, service, available] = word;
      const floor = floors.get(service)?.floor ?? 0;
      return { kind: 'refused', reason: 'floor', service, floor, available };
    }
    default:
      return word satisfies never;
  }
}

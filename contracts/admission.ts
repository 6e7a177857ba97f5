// What a repair and the governor say to one another about the hosts that it may touch (invariant 5).

import type { FrozenGuards } from './frozen.ts';
import type { StandingStop } from './stop.ts';

/**
 * Where the hosts of a plan stand, in tables: each name is told once, and a host of a plan of
 * thousands costs one number.
 */
export type PlanDomains = {
  /** Fault domains that have hosts of the plan, as `zone=eu-1`. */
  readonly names: readonly string[];
  /** Of each, its enrolled agents when it was planned. */
  readonly sizes: readonly number[];
  /** Of each, how many of its hosts may be held at once; null: as many as there are. */
  readonly caps: readonly (number | null)[];
  /** Which names go together, the widest first; each is a place in `names`. */
  readonly places: readonly (readonly number[])[];
  /** Of each host, in the plan's order, its place in `places`. */
  readonly of: readonly number[];
};

export type AdmitInput = {
  readonly remediationId: string;
  readonly guards: FrozenGuards;
  /** Agent ids whose outcome is known and proven: they are free from now on. */
  readonly release: readonly string[];
  /** Agent ids, in the order in which they are to be judged. */
  readonly hosts: readonly string[];
  /** The fault domains of some of them together; `of` says which, of each host. */
  readonly places: readonly (readonly string[])[];
  readonly of: readonly number[];
};

/** Why hosts were not admitted, with limit and use; `hosts` is how many were refused so. */
export type Refusal =
  | { readonly reason: 'busy'; readonly by: string; readonly hosts: number }
  | {
      readonly reason: 'cap_reached';
      readonly domain: string;
      readonly limit: number;
      readonly used: number;
      readonly hosts: number;
    }
  | {
      readonly reason: 'floor';
      readonly service: string;
      readonly floor: number;
      readonly available: number;
      readonly hosts: number;
    }
  | { readonly reason: 'stopped'; readonly stop: StandingStop; readonly hosts: number };

export type AdmitAnswer = {
  /** One letter a host, in order: `g` granted, `b` busy, `c` cap reached, `f` floor, `s` stopped. */
  readonly letters: string;
  /** The most frequent first, at most `limits.refusalsMax`. */
  readonly refusals: readonly Refusal[];
  /** Services that count some of the hosts among their healthy ones, and of each host which: -1, none. */
  readonly services: readonly string[];
  readonly of: readonly number[];
  /** The repair's policy is stopped: nobody was admitted. */
  readonly stop?: StandingStop;
};

/** What the query `holds` answers: all that the governor must know again when Redis was lost (rule R6). */
export type HoldsView = {
  readonly places: readonly (readonly string[])[];
  readonly services: readonly string[];
  /** Agent id, its place in `places`, and in `services`: -1, none. */
  readonly hosts: readonly (readonly [string, number, number])[];
};

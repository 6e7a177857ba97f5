import type { Behaviour } from './simulated-executor.ts';

/**
 * `link`: a dispatch is answered at once, with no check, journal or fsync: what the wire costs.
 * `whole`: the agent with all it has but processes.
 */
export type FleetMode = 'link' | 'whole';

/** What one process of a fleet is to be. */
export type FleetPlan = {
  readonly shards: readonly string[];
  /** Which of the shards' agents: `count` from the `from`th on. */
  readonly from: number;
  readonly count: number;
  /** PEM of the authority whose gateways are trusted. */
  readonly authority: string;
  /** The trust bundle whose keys' jobs are run; `link` runs any. */
  readonly trustFile: string;
  readonly gateways: readonly string[];
  /** A loopback address of its own has ports of its own. */
  readonly localAddress: string;
  readonly mode: FleetMode;
  readonly behaviour: Behaviour;
};

/** From the parent. `start` comes first and once. */
export type FleetOrder =
  | { readonly kind: 'start'; readonly plan: FleetPlan }
  | { readonly kind: 'status' }
  /** When each result of a task was known to be stored; forgets them. */
  | { readonly kind: 'stored'; readonly taskId: string }
  | { readonly kind: 'stop' };

export type FleetStatus = {
  readonly agents: number;
  readonly connected: number;
  /** Jobs that were started, and how many of them more than once, which is an error of Fixpoint. */
  readonly jobs: number;
  readonly startedTwice: number;
  readonly residentBytes: number;
  readonly cpuMs: number;
};

export type FleetAnswer =
  | { readonly kind: 'status'; readonly status: FleetStatus }
  /** Unix milliseconds with a fraction, in no order; `startedAt` of the jobs' starts likewise. */
  | {
      readonly kind: 'stored';
      readonly storedAt: readonly number[];
      readonly startedAt: readonly number[];
    }
  | { readonly kind: 'done' };

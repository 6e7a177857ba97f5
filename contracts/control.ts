import type { Breaker, FailureMemory } from './breaker.ts';
import type { StandingStop, StopScope } from './stop.ts';

/** An agent that no gateway lets in. `at` is Unix milliseconds. */
export type LockedAgent = {
  readonly agentId: string;
  readonly reason: string;
  readonly by: string;
  readonly at: number;
};
export type ControlState = {
  /** Grows with every change. */
  readonly revision: number;
  readonly stopped: boolean;
  /** Why, by whom and when (Unix milliseconds) the switch was thrown last; locks have their own. */
  readonly reason: string;
  readonly by: string;
  readonly at: number;
  /** Oldest first, at most `limits.lockedAgentsMax`. Absent in a state from before there were locks. */
  readonly locked?: readonly LockedAgent[];
  /** Oldest first, at most `limits.stopsMax`. Absent in a state from before there were any. */
  readonly stops?: readonly StandingStop[];
  /** Policies of which nothing starts, or one repair tries. Absent where none was ever open. */
  readonly breakers?: readonly Breaker[];
};
export type ControlInput = {
  readonly state: ControlState;
  /**
   * Ids of updates that runs before this one did, oldest first, at most
   * `limits.controlUpdatesKept`. Absent in an input from before they were kept.
   */
  readonly done?: readonly string[];
  readonly failures?: FailureMemory;
};
/** `reason` is for the operator; a lock that stands keeps its first one. */
export type LockUpdate = {
  readonly agentId: string;
  readonly by: string;
  readonly reason: string;
};
export type ControlUpdate = {
  readonly by: string;
  readonly reason: string;
  /** What is stopped or allowed; absent: the switch for everything. */
  readonly scope?: StopScope;
};
/** `standing` is the revision in the cache that the state must go past. */
export type RepublishUpdate = { readonly standing: number };

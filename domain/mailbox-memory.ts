import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { RemediationEndedSignal } from '../contracts/temporal.ts';
import type { ChangeMemory } from './change-book.ts';
import type { EpisodeMemory } from './episode.ts';
import type { RunningRepair } from './repair-words.ts';

/** All that goes through continue-as-new; plain JSON. What a later version adds is optional. */
export type MailboxMemory = {
  readonly episodes: EpisodeMemory;
  readonly repairs: number;
  readonly running: RunningRepair | null;
  readonly last: { readonly endedAtMs: number; readonly text: string } | null;
  /** When the latest repairs started, for `maxRuns`. */
  readonly startsMs: readonly number[];
  /** Episodes a repair has been started for. */
  readonly handled: readonly string[];
  /** Firings the api took in before this are no reason for a further repair. */
  readonly usedUpToMs: number;
  /** When collecting began; null while nothing waits for a repair. */
  readonly collectingSinceMs: number | null;
  readonly heardAtMs: number;
  /** Last words of repairs that this history has not started yet; see `repairEnded`. */
  readonly endedEarly: readonly RemediationEndedSignal[];
  readonly changes?: ChangeMemory;
  /** What kept the last repair that was due from starting. */
  readonly refused?: GuardRefusal;
  /** A remediation says already that this group is held for flapping. */
  readonly isFlappingTold?: boolean;
};

/** A mailbox that has heard nothing yet. */
export const freshMemory: MailboxMemory = {
  episodes: [],
  repairs: 0,
  running: null,
  last: null,
  startsMs: [],
  handled: [],
  usedUpToMs: 0,
  collectingSinceMs: null,
  heardAtMs: 0,
  endedEarly: [],
};

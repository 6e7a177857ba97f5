/** Where one guard stands for a group: how much it allows, how much is used, and whether it holds now. */
export type GuardStanding = {
  /** As a policy writes it, or the command that set it: `guards.maxRuns`, `control stop`. */
  readonly guard: string;
  readonly limit: string;
  readonly use: string;
  /** What is left of it: `2 of 3`, `none`; null where nothing is counted. */
  readonly slack: string | null;
  /** Whether it keeps something from starting now. */
  readonly holds: boolean;
  /** Until when it holds, Unix milliseconds; null while it does not, or as long as nobody changes it. */
  readonly untilMs: number | null;
  /** What an operator can do about it. */
  readonly remedy: string;
};

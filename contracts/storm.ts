/**
 * Too many hosts alert at once for each to have a fault of its own (rule R14): while it lasts nothing
 * of its policy is repaired by itself. Times are Unix milliseconds of Redis.
 */
export type Storm = {
  /** Of this storm among all of its policy. */
  readonly id: string;
  /** A fault domain, as `zone=eu-1`; null if the hosts of the policy are counted, wherever they stand. */
  readonly domain: string | null;
  /** Distinct hosts that alerted within the window, the most so far, and how many may. */
  readonly hosts: number;
  readonly limit: number;
  /** Where that limit comes from, for people. */
  readonly limitText: string;
  readonly sinceMs: number;
  /** When it is over if no more hosts alert. */
  readonly untilMs: number;
};

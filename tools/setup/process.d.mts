/** See process.mjs. */
export function startTimeOf(pid: number): string | null;
export function isAlive(pid: number): boolean;
export function isSame(recorded: {
  readonly pid: number;
  readonly startTime: string | null;
}): boolean;

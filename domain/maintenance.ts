/** A time that comes again and again: its next one strictly after `afterMs`, Unix ms; null if none. */
export type Recurrence = { next(afterMs: number): number | null };

/** A window opens at every time of `begins` and stays open for `forMs`. */
export type MaintenanceWindow = {
  readonly begins: Recurrence;
  readonly forMs: number;
  /** As the policy writes it, for whoever asks why nothing starts. */
  readonly text: string;
};

export type OpenWindow = { readonly window: MaintenanceWindow; readonly untilMs: number };

/** Openings that are followed for how long a window stays open; one that overlaps itself for ever has no end. */
const openingsMax = 100;

/**
 * The window that is open at `nowMs` and stays so the longest, or null. A window is open from its
 * beginning, that moment included, up to its end, that moment left out; openings that touch are one.
 * After 100 of them `untilMs` is a time at which it is still open.
 */
export function openWindow(
  windows: readonly MaintenanceWindow[],
  nowMs: number,
): OpenWindow | null {
  let longest: OpenWindow | null = null;
  for (const window of windows) {
    const untilMs = openUntil(window, nowMs);
    if (untilMs !== null && untilMs > (longest?.untilMs ?? nowMs)) longest = { window, untilMs };
  }
  return longest;
}

function openUntil({ begins, forMs }: MaintenanceWindow, nowMs: number): number | null {
  let untilMs: number | null = null;
  let opensMs = begins.next(nowMs - forMs);
  for (let openings = 0; opensMs !== null && openings < openingsMax; openings += 1) {
    if (opensMs > (untilMs ?? nowMs)) break;
    untilMs = opensMs + forMs;
    opensMs = begins.next(opensMs);
  }
  return untilMs;
}

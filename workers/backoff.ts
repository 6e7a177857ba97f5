import type { Clock } from '../platform/clock.ts';

/** Waits before the next try, longer with each failure. Ends early, without rejecting, on `stopped`. */
export type Backoff = (failures: number, stopped: AbortSignal) => Promise<void>;

/** 50 ms doubling to 2 s, each between half and all of it: short, because each wait delays a repair. */
export const growingBackoff =
  (clock: Clock): Backoff =>
  async (failures, stopped) => {
    const fullMs = Math.min(2_000, 50 * 2 ** Math.min(failures, 10));
    const waitMs = fullMs * (0.5 + clock.random() / 2);
    await clock.sleep(waitMs, stopped).catch(() => undefined); // Stopped: whoever called looks.
  };

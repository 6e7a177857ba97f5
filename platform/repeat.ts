import type { Clock } from './clock.ts';

/**
 * Does `work` at once and then `everyMs` after each time it ended, until `stopped` is aborted; resolves
 * when the round under way, if any, has ended. A round that fails is told to `failed`, and the next
 * one comes all the same, so that Redis and Temporal may come and go. Rounds count from 0.
 */
export async function repeatUntil(
  stopped: AbortSignal,
  of: {
    readonly everyMs: number;
    readonly clock: Clock;
    readonly work: (round: number) => Promise<void>;
    readonly failed: (error: unknown) => void;
  },
): Promise<void> {
  for (let round = 0; !stopped.aborted; round++) {
    try {
      await of.work(round);
    } catch (error) {
      of.failed(error);
    }
    // Rejects only when stopped, which ends the loop.
    await of.clock.sleep(of.everyMs, stopped).catch(() => undefined);
  }
}

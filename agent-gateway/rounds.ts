import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

/** Work that is repeated until it is stopped. */
export type Rounds = {
  /** Resolves when the round under way, if any, has ended. */
  stop(): Promise<void>;
};

/**
 * Does `work` at once and then `ms` after each time it ended. A round that fails is logged and the
 * next one comes all the same, so that Redis may come and go.
 */
export function startRounds(of: {
  readonly name: string;
  readonly ms: number;
  readonly work: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}): Rounds {
  const ending = new AbortController();
  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        await of.work(ending.signal);
      } catch (error) {
        of.log.warn({ error, round: of.name }, 'a round failed; the next one tries again');
      }
      // Rejects only when stopped, which ends the loop.
      await of.clock.sleep(of.ms, ending.signal).catch(() => undefined);
    }
  };
  const done = run();
  return {
    stop() {
      ending.abort();
      return done;
    },
  };
}

import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { repeatUntil } from '../platform/repeat.ts';

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
  const done = repeatUntil(ending.signal, {
    ...{ everyMs: of.ms, clock: of.clock },
    work: () => of.work(ending.signal),
    failed: (error) =>
      of.log.warn({ error, round: of.name }, 'a round failed; the next one tries again'),
  });
  return {
    stop() {
      ending.abort();
      return done;
    },
  };
}

import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Rounds, startRounds } from './rounds.ts';

export type ClockWatchDeps = {
  /** Unix milliseconds by Redis's clock. */
  readonly redisTime: () => Promise<number>;
  readonly gatewayLookMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Compares this gateway's clock with that of Redis, which deadlines follow. A wrong one ends no job
 * too soon, but agents are told the time by it (rule R10), so that the operator must know: one line
 * of the log each time it goes wrong.
 */
export class ClockWatch {
  readonly #deps: ClockWatchDeps;
  #aheadMs = 0;
  #isWrong = false;
  #rounds: Rounds | undefined;

  constructor(deps: ClockWatchDeps) {
    this.#deps = deps;
  }

  /** By how much this clock is ahead of Redis's, negative if it is behind; 0 before the first look. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  start(): void {
    const { clock, log, gatewayLookMs: ms } = this.#deps;
    this.#rounds = startRounds({ name: 'clock', ms, work: () => this.look(), clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Compares once. Rejects if Redis is away. */
  async look(): Promise<void> {
    const { redisTime, clock, log } = this.#deps;
    const [now, from] = [clock.now(), clock.monotonic()];
    const redisNow = await redisTime();
    // Redis looked at its clock somewhere in between: that much is not known.
    const halfTripMs = (clock.monotonic() - from) / 2;
    this.#aheadMs = now + halfTripMs - redisNow;
    const isWrong = Math.abs(this.#aheadMs) - halfTripMs > limits.clockAheadMs;
    if (isWrong && !this.#isWrong) {
      log.error({ aheadMs: this.#aheadMs }, 'this machine’s clock is not that of Redis: set it');
    }
    this.#isWrong = isWrong;
  }
}

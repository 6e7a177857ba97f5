import type { Clock } from '../platform/clock.ts';

const floorMs = 200;
const capMs = 10_000;

/**
 * Waits between two tries to connect: full jitter over a doubling range, so that ten thousand
 * agents of a killed gateway do not come back in the same second.
 */
export class Backoff {
  readonly #clock: Pick<Clock, 'random'>;
  #tries = 0;

  constructor(clock: Pick<Clock, 'random'>) {
    this.#clock = clock;
  }

  /** Milliseconds until the next try, never below `notBeforeMs`, which a gateway's bye asked for. */
  nextMs(notBeforeMs = 0): number {
    const range = Math.min(capMs, floorMs * 2 ** Math.min(this.#tries, 16));
    this.#tries += 1;
    return Math.max(floorMs, this.#clock.random() * range) + notBeforeMs;
  }

  /** A session was opened: the next trouble starts with short waits again. */
  reset(): void {
    this.#tries = 0;
  }
}

import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';

/** Of what waits, a turn takes one in this many, so that a long line is never slow for long. */
const share = 4;

/**
 * A line for small pieces of work that may wait a moment, such as the frames of thousands of agents: some in each
 * turn of the event loop, in order. What is urgent, as one host's command, comes between instead of behind all of
 * them. Where turns are long the line gets half as long as they, so that pongs are late by a turn and not by ten.
 * It needs no bound of its own: each agent and each job has a piece in it at most.
 */
export class Turns {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #isDue = false;
  /** Monotonic milliseconds when others had their turn. */
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `work` must not throw. */
  add(work: () => void): void {
    this.#waiting.push(work);
    if (!this.#isDue) this.#next();
  }

  /** Does `work` with each item; resolves after the last. Rejects with what one threw; the others are done all the same. */
  each<T>(items: readonly T[], work: (item: T, at: number) => void): Promise<void> {
    return new Promise((done, fail) => {
      for (const [at, item] of items.entries()) {
        this.add(() => {
          try {
            work(item, at);
          } catch (error) {
            fail(error);
          }
        });
      }
      this.add(done);
    });
  }

  #next(): void {
    this.#isDue = true;
    this.#since = this.#clock.monotonic();
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const begun = this.#clock.monotonic();
    const until = begun + (begun - this.#since) / 2;
    const least = Math.max(limits.turnPiecesMin, Math.ceil(this.#waiting.length / share));
    let done = 0;
    for (const work of this.#waiting) {
      if (done >= least && this.#clock.monotonic() >= until) break;
      work();
      done += 1;
    }
    this.#waiting = this.#waiting.slice(done);
    this.#isDue = false;
    if (this.#waiting.length > 0) this.#next();
  }
}

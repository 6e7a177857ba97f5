import { limits } from '../contracts/limits.ts';

/** Of what waits, a turn takes one in this many, so that a long line is never slow for long. */
const share = 4;

/**
 * A line for small pieces of work that may wait a moment, such as the frames of thousands of agents: some in each
 * turn of the event loop, in order. What is urgent, as one host's command, comes between instead of behind all of
 * them. The line needs no bound of its own: each agent and each job has a piece in it at most.
 */
export class Turns {
  #waiting: (() => void)[] = [];
  #isDue = false;

  /** `work` must not throw. */
  add(work: () => void): void {
    this.#waiting.push(work);
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#turn());
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

  #turn(): void {
    const count = Math.max(limits.turnPiecesMin, Math.ceil(this.#waiting.length / share));
    for (const work of this.#waiting.splice(0, count)) work();
    this.#isDue = this.#waiting.length > 0;
    if (this.#isDue) setImmediate(() => this.#turn());
  }
}

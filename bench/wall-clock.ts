import { performance } from 'node:perf_hooks';

/**
 * Unix time in milliseconds with a fraction, comparable with what other processes of this machine
 * write down. `Date.now()` alone has whole milliseconds, and `performance.timeOrigin` drifts away
 * from a clock that is being corrected.
 */
export class WallClock {
  #offset = 0;

  constructor() {
    this.adjust();
  }

  /** Reads the system clock anew, at the edge between two of its milliseconds: up to 1 ms of spinning. */
  adjust(): void {
    const before = Date.now();
    let now = before;
    while (now === before) now = Date.now();
    this.#offset = now - performance.now();
  }

  now(): number {
    return this.#offset + performance.now();
  }
}

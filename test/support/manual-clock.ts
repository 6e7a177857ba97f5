import type { Clock } from '../../platform/clock.ts';

/** A clock that stands still until the test moves it; timers run in order of their time. */
export class ManualClock implements Clock {
  #ms = 0;
  #timers: { at: number; work: () => void }[] = [];
  /** What `random` answers. */
  luck = 0.5;

  now(): number {
    return 1_800_000_000_000 + this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  after(ms: number, work: () => void) {
    const timer = { at: this.#ms + ms, work };
    this.#timers.push(timer);
    const cancel = (): void => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
    return { cancel };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  random(): number {
    return this.luck;
  }

  randomBytes(count: number): Uint8Array {
    return new Uint8Array(count);
  }

  /** Moves on by `ms`, running what falls due. */
  advance(ms: number): void {
    const end = this.#ms + ms;
    for (;;) {
      const next = this.#timers
        .filter(({ at }) => at <= end)
        .sort((left, right) => left.at - right.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#ms = next.at;
      next.work();
    }
    this.#ms = end;
  }
}

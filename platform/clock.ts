import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** A timer that was armed; `cancel` may be called any number of times. */
export type Timer = { cancel(): void };

/** Time and randomness, injected so that tests own them. */
export type Clock = {
  /** Unix milliseconds. May jump: never measure a duration with it. */
  now(): number;
  /** Milliseconds that only go forward, from an arbitrary start. */
  monotonic(): number;
  /** Runs `work` once after `ms`. The timer does not keep the process alive. */
  after(ms: number, work: () => void): Timer;
  /** Resolves after `ms`, or rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
  randomBytes(count: number): Uint8Array;
};

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
  random: () => Math.random(),
  randomBytes: (count) => randomBytes(count),
};

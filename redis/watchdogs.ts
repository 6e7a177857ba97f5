import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import { guarded } from './unavailable.ts';

/** An alert that always fires, so that whoever does not hear it knows its source to be silent. */
export type Watchdog = { readonly source: string; readonly alertname: string };

/** How the intake knows it; a source's name has no `|`. */
export const watchdogMember = ({ source, alertname }: Watchdog): string => `${source}|${alertname}`;

/** When watchdogs were last heard, by Redis, in Unix milliseconds. Repeats are noted as they come in. */
export class Watchdogs {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Never goes back, in whatever order entries are handled. */
  async heard(watchdog: Watchdog, atMs: number): Promise<void> {
    const member = watchdogMember(watchdog);
    await guarded(() => this.#redis.zadd(keys.intake.watchdogs, 'GT', atMs, member));
  }

  /** Null if it never was, as far as Redis knows. */
  lastHeard(watchdog: Watchdog): Promise<number | null> {
    return guarded(async () => {
      const score = await this.#redis.zscore(keys.intake.watchdogs, watchdogMember(watchdog));
      return score === null ? null : Number(score);
    });
  }
}

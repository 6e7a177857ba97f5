import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';

type Bucket = { tokens: number; at: number };

const addressesMax = 10_000;

/**
 * How often one kind of callers, strangers or agents, may knock at the enrolment door: so many a
 * second in all, fewer from one address or agent, and far fewer from one that is refused. Two token buckets; memory is bounded.
 */
export class EnrolmentLimit {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#all = { tokens: 2 * limits.enrolmentsPerSecond, at: clock.monotonic() };
  }

  /** Takes one attempt. Throws `limit_exceeded` if there is none left. */
  take(address: string): void {
    const one = this.#of(address);
    const all = this.#filled(this.#all, {
      perSecond: limits.enrolmentsPerSecond,
      most: 2 * limits.enrolmentsPerSecond,
    });
    if (one.tokens < 1 || all.tokens < 1) {
      throw new FixpointError('limit_exceeded', 'too many enrolments at once; try again');
    }
    one.tokens -= 1;
    all.tokens -= 1;
  }

  /** An attempt from there was refused. */
  refused(address: string): void {
    const one = this.#of(address);
    one.tokens = Math.max(0, one.tokens - limits.enrolmentRefusalWeight + 1);
  }

  #of(address: string): Bucket {
    const most = limits.enrolmentsAtOnceOfOne;
    const bucket = this.#byAddress.get(address) ?? { tokens: most, at: this.#clock.monotonic() };
    // The one that was quiet for longest makes room.
    this.#byAddress.delete(address);
    this.#byAddress.set(address, bucket);
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size > addressesMax && oldest !== undefined) {
      this.#byAddress.delete(oldest);
    }
    return this.#filled(bucket, { perSecond: limits.enrolmentsPerSecondOfOne, most });
  }

  #filled(bucket: Bucket, of: { readonly perSecond: number; readonly most: number }): Bucket {
    const now = this.#clock.monotonic();
    bucket.tokens = Math.min(of.most, bucket.tokens + ((now - bucket.at) / 1_000) * of.perSecond);
    bucket.at = now;
    return bucket;
  }
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EnrolmentLimit } from '../../../agent-gateway/enrolment-limit.ts';
import { limits } from '../../../contracts/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** How many of `tries` attempts are let through. */
function through(limit: EnrolmentLimit, address: string, tries: number): number {
  let count = 0;
  for (let each = 0; each < tries; each += 1) {
    try {
      limit.take(address);
      count += 1;
    } catch (error) {
      assert.equal((error as { code: string }).code, 'limit_exceeded');
    }
  }
  return count;
}

describe('the limit of enrolments', () => {
  it('one address gets so many at once, and then so many a second', () => {
    const clock = new ManualClock();
    const limit = new EnrolmentLimit(clock);

    assert.equal(through(limit, 'rack', 500), limits.enrolmentsAtOnceOfOne);
    clock.advance(1_000);
    assert.equal(through(limit, 'rack', 500), limits.enrolmentsPerSecondOfOne);
  });

  it('an address that is refused gets one try a second, and holds up no other', () => {
    const clock = new ManualClock();
    const limit = new EnrolmentLimit(clock);
    const guess = () => {
      const count = through(limit, 'guesser', 1);
      if (count === 1) limit.refused('guesser');
      return count;
    };

    const first = Array.from({ length: 50 }, guess).filter(Boolean).length;
    let later = 0;
    for (let second = 0; second < 10; second += 1) {
      clock.advance(1_000);
      later += Array.from({ length: 50 }, guess).filter(Boolean).length;
    }

    assert.equal(first, limits.enrolmentsAtOnceOfOne / limits.enrolmentRefusalWeight);
    assert.equal(later, 10);
    assert.equal(through(limit, 'honest', 5), 5);
  });

  it('all addresses together get so many a second, and 20,000 of them cost bounded memory', () => {
    const clock = new ManualClock();
    const limit = new EnrolmentLimit(clock);
    const all = (prefix: string) =>
      Array.from({ length: 20_000 }, (_, at) => through(limit, `${prefix}${at}`, 1)).filter(Boolean)
        .length;

    assert.equal(all('a'), 2 * limits.enrolmentsPerSecond);
    clock.advance(1_000);
    assert.equal(all('b'), limits.enrolmentsPerSecond);
  });
});

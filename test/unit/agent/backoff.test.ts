import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backoff } from '../../../agent/backoff.ts';

describe('back-off', () => {
  it('doubles its range up to 10 s and starts anew after a session', () => {
    const backoff = new Backoff({ random: () => 1 });

    const waits = Array.from({ length: 8 }, () => backoff.nextMs());
    assert.deepEqual(waits, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    backoff.reset();
    assert.equal(backoff.nextMs(), 200);
  });

  it('never waits less than its floor, nor less than a good-bye asked for', () => {
    const backoff = new Backoff({ random: () => 0 });

    assert.equal(backoff.nextMs(), 200);
    assert.equal(backoff.nextMs(5_000), 5_200);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClockWatch } from '../../../agent-gateway/clock-watch.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function aWatch() {
  const clock = new ManualClock();
  const redis = { behindMs: 0, tripMs: 0 };
  const errors: object[] = [];
  const watch = new ClockWatch({
    async redisTime() {
      const time = clock.now() - redis.behindMs;
      clock.advance(redis.tripMs);
      return time;
    },
    gatewayLookMs: 1_000,
    clock,
    log: { ...silentLog, error: (fields) => errors.push(fields) },
  });
  return { watch, redis, errors };
}

describe('the watch on a gateway’s clock', () => {
  it('says once that it is more than a second wrong, and again when it was right meanwhile', async () => {
    const { watch, redis, errors } = aWatch();
    const counts: number[] = [];
    for (const behindMs of [1_000, 1_001, -5_000, 0, -1_001]) {
      redis.behindMs = behindMs;
      await watch.look();
      assert.equal(watch.aheadMs, behindMs);
      counts.push(errors.length);
    }

    assert.deepEqual(counts, [0, 1, 1, 1, 2]);
  });

  it('blames no clock for a Redis that is slow to answer', async () => {
    const { watch, redis, errors } = aWatch();

    redis.tripMs = 4_000;
    await watch.look();

    assert.deepEqual(errors, []);
  });
});

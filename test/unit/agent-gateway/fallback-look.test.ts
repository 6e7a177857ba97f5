import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FallbackLook } from '../../../agent-gateway/fallback-look.ts';
import { SessionRegistry } from '../../../agent-gateway/session-registry.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A look at one open task, of a Redis whose run id a test changes. */
function aLook() {
  const redis = { runId: 'first', onRead: () => {} };
  const begun: string[] = [];
  const look = new FallbackLook({
    registry: new SessionRegistry(),
    dispatcher: {
      async begin({ taskId }) {
        begun.push(taskId);
        return true;
      },
      async cancelGiven() {},
    },
    bodies: { keepOnly() {} },
    async openTasks() {
      redis.onRead();
      return [{ taskId: 'task', createdAt: 1, cancel: null }];
    },
    runId: async () => redis.runId,
    keep: async () => [],
    ...{ gatewayLookMs: 1_000, clock: new ManualClock(), log: silentLog },
  });
  return { look, redis, begun };
}

describe('the look for what a gateway was not woken for', () => {
  it('begins an open task once', async () => {
    const { look, begun } = aLook();

    await look.look();
    await look.look();

    assert.deepEqual(begun, ['task']);
  });

  it('begins it again when another Redis answers on the same connection', async () => {
    const { look, redis, begun } = aLook();
    await look.look();

    redis.runId = 'second';
    await look.look();
    await look.look();

    assert.deepEqual(begun, ['task', 'task']);
  });

  it('begins it again when the connection was away, also in the middle of a look', async () => {
    const { look, redis, begun } = aLook();

    redis.onRead = () => look.redisReturned();
    await look.look();
    redis.onRead = () => {};
    await look.look();
    await look.look();

    assert.deepEqual(begun, ['task', 'task']);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TaskReport } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRedis } from '../../redis/connect.ts';
import { Jobs } from '../../redis/jobs.ts';
import { keys } from '../../redis/keys.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { startRedis } from '../support/redis-server.ts';

const wrongBy = (ms: number) => ({ ...systemClock, now: () => systemClock.now() + ms });

for (const [name, ms] of [
  ['five minutes fast', 300_000],
  ['five minutes slow', -300_000],
] as const) {
  describe(`a gateway whose clock is ${name}`, () => {
    let host: GatewayHost;
    before(async () => {
      host = await GatewayHost.start({ clock: wrongBy(ms), clocks: { gatewayLookMs: 500 } });
    });
    after(() => host.stop());

    it('ends what queues at its notAfter by Redis’s clock, neither sooner nor later', async () => {
      const agent = await host.connect(1);
      await host.stopAll();
      await eventually(async () => assert.equal((await agent.ping()).stopped, true));
      const submit = async (key: string, notAfterMs: number) => {
        const notAfter = systemClock.now() + notAfterMs;
        return (await host.submit(key, host.task({ notAfter }))).body as TaskReport;
      };
      const later = await submit('key-later', 60_000);

      const soon = await submit('key-soon', 1_500);
      await host.letters(soon.taskId, 'e');

      assert.equal((await host.report(later.taskId)).letters, '.');
      await host.allow();
      const { jobId } = await agent.heard('dispatch');
      agent.result(jobId);
      await host.letters(later.taskId, 's');
      await agent.cut();
    });

    it('shows by how much', async () => {
      await eventually(async () => {
        const text = await (await fetch(`${host.url}/metrics`)).text();
        const seconds = Number(/^fixpoint_clock_ahead_seconds (\S+)$/m.exec(text)?.[1]);
        assert.ok(Math.abs(seconds - ms / 1_000) < 1, `${seconds} s`);
      });
    });
  });
}

describe('what is due', () => {
  it('is claimed by one gateway, and by another when the claim has run out', async (t) => {
    const server = await startRedis();
    const redis = connectRedis({ url: server.url, profile: 'background', onError: () => {} });
    t.after(() => server.stop());
    t.after(() => redis.disconnect());
    const jobs = new Jobs(redis);
    const ids = Array.from({ length: 50 }, (_, at) => `t${at}`);
    for (const id of ids) await redis.zadd(keys.deadlines, systemClock.now(), `report:${id}`);
    await redis.zadd(keys.deadlines, systemClock.now() + 60_000, 'report:later');

    const claims = await Promise.all(
      Array.from({ length: 10 }, () => jobs.due({ claimMs: 1_000, count: 20 })),
    );

    const claimed = claims.flat().map(({ taskId }) => taskId);
    assert.deepEqual(claimed.toSorted(), ids.toSorted());
    await eventually(async () =>
      assert.equal((await jobs.due({ claimMs: 0, count: 100 })).length, ids.length),
    );
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

describe('a gateway among failures', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
  });
  after(() => host.stop());

  const submit = async (key: string) => {
    const { status, body } = await host.submit(key, host.task());
    assert.equal(status, 201);
    return (body as { taskId: string }).taskId;
  };

  it('a restart in mid-task keeps jobs, output and the wish to cancel', async () => {
    const before = await host.connect(1);
    const taskId = await submit('key-mid-task');
    const { jobId, job } = await before.heard('dispatch');
    before.ack(jobId, 'running');
    before.output({ jobId, stream: 'stderr', offset: 0, data: Buffer.from('so far') });
    await before.ping();
    await host.call({ path: `/v1/tasks/${taskId}/cancel`, body: { reason: 'operator' } });
    await before.heard('cancel');

    await host.stopGateway();
    assert.equal((await before.heard('bye')).reason, 'draining');
    await host.startGateway();

    const agent = await host.connect(1);
    const again = await agent.heard('dispatch');
    assert.equal(again.job, job);
    assert.deepEqual(again.have, { stdout: 0, stderr: 6 });
    assert.equal((await agent.heard('cancel')).jobId, jobId);
    agent.result(jobId, { state: 'cancelled', reason: 'operator' });
    assert.equal((await host.letters(taskId, 'cc')).state, 'finished');
    await agent.cut();
  });

  it('without Redis a submit is answered 503 within a second; sessions stay, and all goes on after', async () => {
    const agent = await host.connect(1);
    const taskId = await submit('key-before-outage');
    const { jobId } = await agent.heard('dispatch');

    await host.redisServer.kill();
    const from = performance.now();
    const refused = await host.submit('key-outage', host.task());
    const tookMs = performance.now() - from;
    agent.result(jobId);
    await eventually(async () => assert.equal((await agent.ping()).lease, false));
    assert.deepEqual(agent.stored, []);
    await host.redisServer.restart();

    assert.equal(refused.status, 503);
    assert.equal((refused.body as { code: string }).code, 'upstream_unavailable');
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    assert.equal(await agent.kept(), jobId);
    assert.equal((await host.report(taskId)).letters, 's.');
    await eventually(async () => assert.equal((await agent.ping()).lease, true));
    await eventually(async () =>
      assert.equal((await host.submit('key-outage', host.task())).status, 201),
    );
    await agent.heard('dispatch', 2);
    await agent.cut();
  });

  it('a Redis that hangs is answered 503 within a second too', async () => {
    host.redisServer.pause();
    const from = performance.now();
    const refused = await host.submit('key-hang', host.task());
    const tookMs = performance.now() - from;
    host.redisServer.resume();

    assert.equal(refused.status, 503);
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    await host.isReady();
  });

  it('a Redis that lost everything meets the same key again as the same task', async () => {
    const task = host.task();
    const first = await host.submit('key-flushed', task);
    await host.redis.flushall();
    await host.allow();
    await host.isReady();

    const second = await host.submit('key-flushed', task);

    assert.equal(second.status, 201);
    assert.equal(
      (second.body as { taskId: string }).taskId,
      (first.body as { taskId: string }).taskId,
    );
    const agent = await host.connect(1);
    const { jobId } = await agent.heard('dispatch');
    agent.result(jobId);
    await agent.kept();
    await agent.cut();
  });
});

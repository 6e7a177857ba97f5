import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TaskSubmit } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

describe('a gateway whose Redis lost everything', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start();
  });
  after(() => host.stop());

  const loseAll = async () => {
    await host.redis.flushall();
    await host.allow();
    await host.isReady();
  };
  const submit = async (key: string, task: TaskSubmit) => {
    const { status, body } = await host.submit(key, task);
    assert.equal(status, 201, JSON.stringify(body));
    return (body as { taskId: string }).taskId;
  };

  it('asks the agent again on the same link, and does not call expired what runs', async () => {
    const agent = await host.connect(1);
    const task = host.task({ notAfter: systemClock.now() + 2_500 });
    const taskId = await submit('key-given', task);
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');

    await loseAll();
    await submit('key-given', task);
    await agent.heard('dispatch', 2);
    agent.ack(jobId, 'running');
    const queue = `queue:${taskId}`;
    await eventually(async () =>
      assert.equal(await host.redis.zscore('fx:deadlines', queue), null),
    );
    assert.equal((await host.report(taskId)).letters, '.');
    agent.result(jobId);

    assert.equal((await host.letters(taskId, 's')).state, 'finished');
    await agent.cut();
  });

  it('learns from the agent how a job ended that comes again when nothing may start', async () => {
    const agent = await host.connect(1);
    const notAfter = systemClock.now() - 30_000;

    const taskId = await submit('key-too-late', host.task({ notAfter }));
    const { jobId } = await agent.heard('dispatch');
    agent.result(jobId);

    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('calls unknown, not unreachable, what comes again too late and no agent answers', async () => {
    const now = systemClock.now();

    const taskId = await submit(
      'key-too-late-offline',
      host.task({ notAfter: now - 30_000, deadline: now + 1_000 }),
    );

    await host.letters(taskId, 'u');
  });
});

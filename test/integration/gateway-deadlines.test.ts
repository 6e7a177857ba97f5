import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

describe('deadlines at the gateway', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
  });
  after(() => host.stop());

  const submit = async (key: string, of: { notAfterMs: number; deadlineMs: number }) => {
    const now = systemClock.now();
    const task = host.task({ notAfter: now + of.notAfterMs, deadline: now + of.deadlineMs });
    const { body } = await host.submit(key, task);
    return (body as { taskId: string }).taskId;
  };

  it('what was never sent is expired where the agent is there, unreachable where it is not', async () => {
    const agent = await host.connect(1);
    await host.stopAll();
    await eventually(async () => assert.equal((await agent.ping()).stopped, true));

    const taskId = await submit('key-queue', { notAfterMs: 300, deadlineMs: 60_000 });
    const report = await host.letters(taskId, 'ex');

    assert.equal(report.state, 'finished');
    assert.deepEqual(
      report.failures.map(({ reason }) => reason),
      ['not_after', 'offline'],
    );
    assert.equal(agent.all('dispatch').length, 0);
    await host.allow();
    await eventually(async () => assert.equal((await agent.ping()).lease, true));
    await agent.cut();
  });

  it('what was sent and not reported is unknown at the deadline, not before, and stays so', async () => {
    const agent = await host.connect(1);
    const deadlineAt = systemClock.now() + 2_500;
    const taskId = await submit('key-report', { notAfterMs: 200, deadlineMs: 2_500 });
    const { jobId } = await agent.heard('dispatch');
    await host.letters(taskId, '.x');
    await agent.cut();

    const report = await host.letters(taskId, 'ux');

    assert.ok(systemClock.now() >= deadlineAt);
    assert.equal(report.failures[0]?.reason, 'deadline');
    const again = await host.connect(1);
    again.result(jobId);
    await again.kept();
    assert.equal((await host.report(taskId)).letters, 'ux');
    await again.cut();
  });

  it('an agent that comes after notAfter is not given the job any more', async () => {
    const from = systemClock.now();
    const taskId = await submit('key-late', { notAfterMs: 300, deadlineMs: 60_000 });
    await eventually(() => assert.ok(systemClock.now() > from + 400));
    const agent = await host.connect(1);

    const report = await eventually(async () => {
      const now = await host.report(taskId);
      assert.equal(now.state, 'finished');
      return now;
    });

    assert.match(report.letters, /^[ex]x$/);
    await agent.ping();
    assert.equal(agent.all('dispatch').length, 0);
    await agent.cut();
  });
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ControlGate } from '../../agent-gateway/control-gate.ts';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { AuditLog } from '../../platform/audit.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { readControl } from '../../redis/control-cache.ts';
import { LockWishes } from '../../redis/lock-wishes.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const promisedMs = 5_000;

describe('a locked agent', () => {
  let host: GatewayHost;
  let other: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
    other = await host.beside('gateway-2');
  });
  after(async () => {
    await other.stopGateway();
    await host.stop();
  });

  const viewOf = async (name: string): Promise<AgentView> =>
    agentView.parse((await host.call({ path: `/v1/agents/${name}` })).body);
  const knock = async (at: GatewayHost, number: number): Promise<string> => {
    const agent = await FakeAgent.dial(at.agentPort, host.agent(number));
    agent.hello(host.agent(number));
    const answer = await eventually(() => {
      const [first] = agent.frames;
      if (first === undefined) throw new Error('no word yet');
      return first;
    });
    await agent.cut();
    return answer.type === 'bye' ? answer.reason : answer.type;
  };

  it('is cut off on every gateway within 5 s, refused on return, and let in once unlocked', async () => {
    const here = await host.connect(1);
    const there = await FakeAgent.connect(other.agentPort, host.agent(2));
    const lockedAt = performance.now();

    await host.lock(host.agent(1).agentId, host.agent(2).agentId);

    assert.equal((await here.heard('bye')).reason, 'locked');
    assert.equal((await there.heard('bye')).reason, 'locked');
    await Promise.all([here.gone(), there.gone()]);
    assert.ok(performance.now() - lockedAt < promisedMs);
    for (const at of [host, other]) assert.equal(await knock(at, 1), 'locked');
    const view = await viewOf('agent-1');
    assert.deepEqual([view.state, view.lock], ['locked', { reason: 'test', by: 'test', at: 1 }]);

    await host.lock();
    await eventually(async () => assert.equal(await knock(host, 1), 'welcome'));
    assert.equal((await viewOf('agent-1')).lock, null);
  });

  it('stays out after Redis lost everything, before and after the cache is back', async () => {
    await host.lock(host.agent(1).agentId);
    for (const at of [host, other]) {
      await eventually(async () => assert.equal(await knock(at, 1), 'locked'));
    }

    await host.redis.flushall();
    await eventually(async () =>
      assert.equal((await (await host.connect(2)).ping()).lease, false, 'nothing may start'),
    );
    const whileMissing = await knock(host, 1);
    await host.allow();
    await eventually(async () => assert.equal((await (await host.connect(2)).ping()).lease, true));

    assert.equal(whileMissing, 'locked');
    assert.equal(await knock(host, 1), 'locked');
    await host.lock();
  });

  it('its queued jobs wait until their notAfter and end as unreachable, locked', async () => {
    await host.lock(host.agent(1).agentId);
    await eventually(async () => assert.equal((await viewOf('agent-1')).state, 'locked'));
    const [target] = host.task().targets;
    const notAfter = Date.now() + 2_000;
    const task = host.task({ slot: 'locked', targets: target ? [target] : [], notAfter });

    const { body } = await host.submit('key-locked', task);

    const { taskId } = body as { taskId: string };
    assert.equal((await host.report(taskId)).letters, '.');
    const report = await host.letters(taskId, 'x');
    assert.equal(report.failures[0]?.reason, 'locked');
    assert.ok(Date.now() >= notAfter);
    await host.lock();
  });

  it('a wish of one gateway keeps the agent out on the other one', async () => {
    const { agentId } = host.agent(2);
    const wishes = new LockWishes(host.redis);

    await wishes.write({ agentId, reason: 'cloned', at: 1 });
    await wishes.write({ agentId, reason: 'later', at: 2 });

    await eventually(async () => assert.equal(await knock(other, 2), 'locked'));
    await eventually(async () => assert.equal((await viewOf('agent-2')).lock?.reason, 'cloned'));
    await wishes.remove(agentId);
    await eventually(async () => assert.equal(await knock(other, 2), 'welcome'));
  });

  it('a wish that Redis loses before it is a lock is wished again by its gateway, and no longer', async () => {
    const { agentId } = host.agent(1);
    const wishes = new LockWishes(host.redis);
    const gate = new ControlGate({
      audit: new AuditLog({
        ...{ directory: join(host.directory, 'audit'), writer: 'gateway-3', clock: systemClock },
      }),
      read: () => readControl(host.redis),
      wishes,
      clock: systemClock,
      log: createLog({ program: 'test', level: 'fatal' }),
      onChange: () => {},
      onLocked: () => {},
    });
    const wished = async () => (await wishes.all()).map(({ reason }) => reason);
    await gate.wishLock(agentId, 'cloned');
    await gate.refresh();

    await host.redis.flushall();
    await gate.refresh();

    assert.deepEqual(await wished(), ['cloned']);
    assert.equal(gate.lockOf(agentId)?.reason, 'cloned');
    await host.lock(agentId);
    await wishes.remove(agentId);
    await gate.refresh();
    await host.lock();
    await gate.refresh();
    assert.deepEqual([await wished(), gate.lockOf(agentId)], [[], null], 'unlocked is unlocked');
  });
});

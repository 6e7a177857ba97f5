import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const wishes = 'fx:{gov}:lock-wishes';
const sequences = 'fx:agents:sequences';

describe('a journal that was set back or copied', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 6 });
  });
  after(() => host.stop());

  const hello = async (number: number, sequence: number): Promise<FakeAgent> => {
    const agent = await FakeAgent.dial(host.agentPort, host.agent(number));
    agent.hello(host.agent(number), { sequence });
    await agent.heard('welcome');
    return agent;
  };
  const reasonOf = async (number: number): Promise<string | undefined> => {
    const wish = await host.redis.hget(wishes, host.agent(number).agentId);
    return wish === null ? undefined : (JSON.parse(wish) as { reason: string }).reason;
  };
  const byeOf = async (agent: FakeAgent) => {
    const { reason } = await agent.heard('bye');
    await agent.gone();
    return reason;
  };

  it('is told by a hello below what was told before; its jobs end unknown and it stays out', async () => {
    const { agentId, journalId } = host.agent(1);
    const before = await hello(1, 7);
    await before.ping();
    await before.cut();
    const task = host.task({ targets: [{ agentId, journalId }] });
    const { body } = await host.submit('key-rollback', task);

    const restored = await hello(1, 6);
    restored.say({ type: 'ping', id: 1, sequence: 6 });

    assert.equal(await byeOf(restored), 'journal_rolled_back');
    assert.equal(restored.all('dispatch').length, 0);
    const ended = await host.letters((body as { taskId: string }).taskId, 'u');
    assert.equal(ended.failures[0]?.reason, 'journal_lost');
    assert.equal(await reasonOf(1), 'journal_rolled_back');
    const again = await FakeAgent.dial(host.agentPort, host.agent(1));
    again.hello(host.agent(1), { sequence: 8 });
    assert.equal(await byeOf(again), 'locked');
  });

  it('is told by pings of the session before, not only by its hello', async () => {
    const before = await hello(2, 7);
    before.say({ type: 'ping', id: 1, sequence: 20 });
    await before.heard('pong');
    await before.cut();
    const { agentId } = host.agent(2);
    await eventually(async () => assert.equal(await host.redis.hget(sequences, agentId), '20'));

    const restored = await hello(2, 12);
    restored.say({ type: 'ping', id: 1, sequence: 12 });

    assert.equal(await byeOf(restored), 'journal_rolled_back');
    assert.equal(await reasonOf(2), 'journal_rolled_back');
  });

  it('a hello that nobody stands behind any more locks nobody', async () => {
    const live = await hello(3, 7);
    await live.ping();
    const late = await hello(3, 6);
    await late.cut();

    const next = await hello(3, 7);

    assert.equal((await next.ping()).lease, true);
    assert.equal(await reasonOf(3), undefined);
    await next.cut();
  });

  it('of two that live with one identity the one that falls behind brings both down', async () => {
    const original = await hello(4, 5);
    await original.ping();
    // The copy is as far as the original, and takes its place.
    const copy = await hello(4, 5);
    await copy.ping();
    assert.equal(await byeOf(original), 'replaced');

    // The original comes back and a job runs there; so the copy, when it does, is behind.
    const back = await hello(4, 5);
    back.say({ type: 'ping', id: 2, sequence: 9 });
    await back.heard('pong');
    assert.equal(await byeOf(copy), 'replaced');
    const behind = await hello(4, 5);
    behind.say({ type: 'ping', id: 3, sequence: 5 });

    assert.equal(await byeOf(behind), 'journal_rolled_back');
    assert.equal(await reasonOf(4), 'journal_rolled_back');
  });

  it('a copy is found out at another gateway too, once the original’s last word is known', async () => {
    const beside = await host.beside('gateway-2');
    const original = await hello(5, 5);
    original.say({ type: 'ping', id: 1, sequence: 30 });
    await original.heard('pong');

    // At once, while gateway 1 has not yet written down how far the original is.
    const copy = await FakeAgent.dial(beside.agentPort, host.agent(5));
    copy.hello(host.agent(5), { sequence: 5 });
    await copy.heard('welcome');
    copy.say({ type: 'ping', id: 1, sequence: 5 });

    assert.equal(await byeOf(copy), 'journal_rolled_back');
    assert.equal(await reasonOf(5), 'journal_rolled_back');
    await beside.stopGateway('gateway-2');
  });
});

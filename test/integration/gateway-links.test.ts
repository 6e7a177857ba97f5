import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createAuthority, issueCertificate } from '../../agent-gateway/certificates.ts';
import { limits } from '../../contracts/limits.ts';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

describe('the agent link', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({
      agents: 2,
      clocks: { agentLateMs: 300, agentOfflineMs: 1_500, linkSilentMs: 1_500 },
    });
  });
  after(() => host.stop());

  const viewOf = async (name: string): Promise<AgentView> =>
    agentView.parse((await host.call({ path: `/v1/agents/${name}` })).body);
  const byeOf = async (agent: FakeAgent) => {
    const bye = await agent.heard('bye');
    await agent.gone();
    return bye.reason;
  };

  it('a client without a certificate, or with one of another authority, is not let in', async () => {
    const { agentId, ca } = host.agent(1);
    const stranger = await createAuthority(systemClock);
    const forged = await issueCertificate({
      authority: stranger,
      subject: { kind: 'agent', agentId, labels: {} },
      clock: systemClock,
    });

    await assert.rejects(FakeAgent.dial(host.agentPort, { ca }));
    await assert.rejects(FakeAgent.dial(host.agentPort, { ca, ...forged }));
    assert.equal((await viewOf('agent-1')).state, 'never_seen');
  });

  it('a certificate of ours that names no agent is not let in', async () => {
    const own = await issueCertificate({
      authority: host.authority,
      subject: { kind: 'gateway' },
      clock: systemClock,
    });

    await assert.rejects(FakeAgent.dial(host.agentPort, { ca: host.agent(1).ca, ...own }));
  });

  it('a hello with another agent’s id is cut off, and nobody becomes online by it', async () => {
    const agent = await FakeAgent.dial(host.agentPort, host.agent(1));

    agent.hello(host.agent(2));

    assert.equal(await byeOf(agent), 'wrong_agent');
    assert.equal((await viewOf('agent-2')).state, 'never_seen');
  });

  it('a hello with another journal is cut off, and the pending jobs end as unknown', async () => {
    const [target] = host.task().targets;
    const task = host.task({ targets: target ? [target] : [] });
    const { body } = await host.submit('key-journal', task);
    const agent = await FakeAgent.dial(host.agentPort, host.agent(1));

    agent.hello({ agentId: host.agent(1).agentId, journalId: '1'.repeat(26) });

    assert.equal(await byeOf(agent), 'wrong_journal');
    const ended = await host.letters((body as { taskId: string }).taskId, 'u');
    assert.equal(ended.failures[0]?.reason, 'journal_lost');
  });

  it('a first frame that is no hello, and an agent that is not enrolled, are cut off', async () => {
    const silly = await FakeAgent.dial(host.agentPort, host.agent(1));
    const unknown = { agentId: '000000000000', journalId: '0'.repeat(26) };
    const { certificate, key } = await issueCertificate({
      authority: host.authority,
      subject: { kind: 'agent', agentId: unknown.agentId, labels: {} },
      clock: systemClock,
    });
    const stranger = await FakeAgent.dial(host.agentPort, {
      ca: host.agent(1).ca,
      certificate,
      key,
    });

    silly.say({ type: 'ping', id: 1 });
    stranger.hello(unknown);

    assert.equal(await byeOf(silly), 'bad_hello');
    assert.equal(await byeOf(stranger), 'not_enrolled');
  });

  it('a frame of an unknown type ends the session', async () => {
    const agent = await host.connect(1);

    agent.say({ type: 'surprise' });

    assert.equal(await byeOf(agent), 'bad_frame');
  });

  it('the newest session of an agent wins, and the older one is told', async () => {
    const older = await host.connect(1);

    const newer = await host.connect(1);

    assert.equal(await byeOf(older), 'replaced');
    assert.ok((await newer.ping()).lease);
    await newer.cut();
  });

  it('an agent is online, late and offline by its last ping, and a silent link is ended', async () => {
    const agent = await host.connect(2);
    await agent.ping();
    assert.equal((await viewOf('agent-2')).state, 'online');

    await eventually(async () => assert.equal((await viewOf('agent-2')).state, 'late'));
    await eventually(async () => assert.equal((await viewOf('agent-2')).state, 'offline'));

    assert.equal(await byeOf(agent), 'silent');
    const { lastSeenAt, gatewayId, sessionId } = await viewOf('agent-2');
    assert.ok(lastSeenAt !== null && lastSeenAt <= systemClock.now());
    assert.equal(gatewayId, 'gateway-1');
    assert.equal(sessionId, null);
  });

  it('a peer that stalls in its handshake is cut off and holds up nobody', async () => {
    const stalled = connectTcp(host.agentPort, '127.0.0.1');
    await once(stalled, 'connect');
    const mute = await FakeAgent.dial(host.agentPort, host.agent(2));

    const agent = await host.connect(1);

    assert.ok((await agent.ping()).lease);
    await Promise.all([once(stalled, 'close'), mute.gone()]);
    await agent.cut();
  });

  it('more peers that stall than are begun at once let an agent in after their patience', async () => {
    const stalled = Array.from({ length: limits.handshakesAtOnce }, () =>
      connectTcp(host.agentPort, '127.0.0.1'),
    );
    await Promise.all(stalled.map((socket) => once(socket, 'connect')));

    const agent = await host.connect(1);

    assert.ok((await agent.ping()).lease);
    assert.ok(stalled.every(({ closed }) => !closed));
    await Promise.all(stalled.map((socket) => once(socket, 'close')));
    await agent.cut();
  });

  it('the inventory in Redis is rebuilt from the register after Redis lost it', async () => {
    await host.redis.del('fx:{inv}:agents', 'fx:{inv}:meta');

    await eventually(async () => {
      assert.equal(await host.redis.hget('fx:{inv}:meta', 'complete'), '1');
      assert.equal(await host.redis.hlen('fx:{inv}:agents'), 2);
    });
    await host.enrol(3);
    await eventually(async () => assert.equal(await host.redis.hlen('fx:{inv}:agents'), 3));
    assert.equal((await viewOf('agent-3')).state, 'never_seen');
  });
});

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { type Fault, FaultProxy } from '../support/fault-proxy.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const hold: Fault = { kind: 'hold' };

/** What the network does while a script runs, and whether it heals by itself. */
const passing: readonly {
  readonly name: string;
  readonly begin: (proxy: FaultProxy) => void;
}[] = [
  {
    name: 'a slow and uneven network',
    begin: (proxy) => {
      const delay: Fault = { kind: 'delay', ms: 120, jitterMs: 100 };
      proxy.set({ toGateway: delay, toAgent: delay });
    },
  },
  { name: 'a cut connection', begin: (proxy) => proxy.cut() },
  { name: 'a network that is away', begin: (proxy) => proxy.close() },
  {
    name: 'a half-open connection',
    begin: (proxy) => proxy.set({ toGateway: hold, toAgent: hold }),
  },
  {
    name: 'a network that carries nothing to the gateway',
    begin: (p) => p.set({ toGateway: hold }),
  },
  { name: 'a network that carries nothing to the agent', begin: (p) => p.set({ toAgent: hold }) },
  {
    name: 'bytes that arrive as others',
    begin: (proxy) => proxy.set({ toGateway: { kind: 'corrupt' }, toAgent: { kind: 'corrupt' } }),
  },
  {
    name: 'a trickle to the gateway',
    begin: (proxy) => proxy.set({ toGateway: { kind: 'slow', bytesPerSecond: 4_000 } }),
  },
];

describe('whatever the network does, a job ends in a named state and starts once', () => {
  let host: GatewayHost;
  let proxy: FaultProxy;
  let machine: AgentHost;
  let number = 0;
  before(async () => {
    host = await GatewayHost.start({
      agents: 0,
      clocks: { pingMs: 200, agentLateMs: 600, linkSilentMs: 1_000, agentOfflineMs: 2_000 },
    });
  });
  after(() => host.stop());
  beforeEach(async () => {
    number += 1;
    proxy = await FaultProxy.start(host.agentPort);
    machine = await AgentHost.create(host.authority);
    const { agentId, journalId } = machine;
    const name = `host-${number}`;
    const notAfter = systemClock.now() + 86_400_000;
    const labels = { name, hostname: name };
    await host.register({ agentId, name, labels, journalId, serial: `0${number}`, notAfter });
    await machine.start(`wss://127.0.0.1:${proxy.port}`);
    await isOnline();
  });
  afterEach(async () => {
    proxy.heal();
    await machine.remove();
    await proxy.stop();
  });

  const stateOf = async () => {
    const { body } = await host.call({ path: `/v1/agents/host-${number}` });
    return (body as { state: string }).state;
  };
  const isOnline = () => eventually(async () => assert.equal(await stateOf(), 'online'));

  async function submit(of: { readonly queueMs?: number; readonly content?: string } = {}) {
    const { agentId, journalId, evidence } = machine;
    const key = `key-network-${number}`;
    const content = of.content ?? `echo ran >>"${evidence}"\nsleep 0.5\necho done\n`;
    const now = systemClock.now();
    const queueMs = of.queueMs ?? 30_000;
    const task = host.task({ slot: key, targets: [{ agentId, journalId }] });
    const answer = await host.submitSigned(key, {
      ...task,
      action: { ...task.action, content },
      notAfter: now + queueMs,
      deadline: now + queueMs + 1_000,
    });
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    return (answer.body as { taskId: string }).taskId;
  }

  for (const { name, begin } of passing) {
    it(`${name} while the script runs: the outcome comes once it can, and nothing starts again`, async () => {
      const taskId = await submit();
      await eventually(() => assert.equal(machine.starts(), 1));

      begin(proxy);
      // Longer than a dead link is believed in, so that both sides have given it up.
      const since = systemClock.monotonic();
      await eventually(() => assert.ok(systemClock.monotonic() - since > 1_500));
      proxy.heal();

      await host.letters(taskId, 's');
      assert.equal(machine.starts(), 1);
    });
  }

  it('a network that does not come back before the job may start: unreachable, nothing ran', async () => {
    proxy.close();
    await eventually(async () => assert.equal(await stateOf(), 'offline'));

    const taskId = await submit({ queueMs: 500 });

    const report = await host.letters(taskId, 'x');
    assert.equal(report.failures[0]?.reason, 'offline');
    proxy.heal();
    await isOnline();
    assert.equal(machine.starts(), 0);
  });

  it('a network that does not come back after the job was sent: unknown at the deadline, one start', async () => {
    const taskId = await submit({ queueMs: 1_000 });
    await eventually(() => assert.equal(machine.starts(), 1));

    proxy.set({ toGateway: hold });

    const report = await host.letters(taskId, 'u');
    assert.equal(report.failures[0]?.reason, 'deadline');
    assert.equal(machine.starts(), 1);
  });

  it('a half-open link is given up by both sides, and the agent is back on another', async () => {
    const before = proxy.connections;
    proxy.set({ toGateway: hold, toAgent: hold });

    await eventually(async () => assert.notEqual(await stateOf(), 'online'));
    await eventually(() => assert.ok(proxy.connections > before));
    proxy.heal();

    await isOnline();
  });

  it('a cut link with 20 jobs queued: what starts, starts within its lease, and each at most once', async () => {
    const { agentId, journalId, evidence } = machine;
    proxy.set({ toAgent: { kind: 'slow', bytesPerSecond: 30_000 } });
    const submits = Array.from({ length: 20 }, async (_, at) => {
      const key = `key-lease-${number}-${at}`;
      const task = host.task({ slot: key, targets: [{ agentId, journalId }] });
      const content = `echo ${at} >>"${evidence}"\n# ${'x'.repeat(4_000)}\n`;
      const now = systemClock.now();
      return host.submitSigned(key, {
        ...task,
        action: { ...task.action, content },
        notAfter: now + 60_000,
        deadline: now + 61_000,
      });
    });
    const answers = await Promise.all(submits);
    await eventually(() => assert.ok(machine.starts() > 0));

    proxy.close();
    const startedAtCut = machine.starts();
    const since = systemClock.monotonic();
    await eventually(() => assert.ok(systemClock.monotonic() - since > 2_500));
    const startedAfter = machine.starts();
    assert.ok(startedAfter < 20, 'the link was cut too late to prove anything');
    assert.ok(startedAfter - startedAtCut <= 5, `${startedAfter - startedAtCut} after the cut`);
    proxy.heal();

    for (const { body } of answers) await host.letters((body as { taskId: string }).taskId, 's');
    assert.equal(machine.starts(), 20);
  });
});

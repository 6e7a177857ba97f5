import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { deeplyNested, fourGigabytes } from '../support/hostile-bytes.ts';

const mebibyte = 1024 * 1024;
setFlagsFromString('--expose-gc');
// The flag adds the function to contexts that are made after it.
const collectGarbage = runInNewContext('gc') as () => void;

/** What is held, without what only waits to be collected. */
const usedBytes = (): number => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

describe('a gateway with peers that keep no rule', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 3, clocks: { linkSilentMs: 120_000 } });
  });
  after(() => host.stop());

  /** The gateway goes on serving whoever keeps the rules. */
  const serves = async (number: number) => {
    const agent = await host.connect(number);
    assert.ok((await agent.ping()).lease);
    await agent.cut();
  };

  it('a frame that announces 4 GiB ends its link at once, and takes no memory', async () => {
    const agent = await host.connect(1);
    const before = usedBytes();

    agent.raw(fourGigabytes({ isMasked: true }));

    await agent.gone();
    assert.ok(usedBytes() - before < 16 * mebibyte);
    await serves(2);
  });

  it('bytes that are no WebSocket end the link', async () => {
    const agent = await host.connect(1);

    agent.raw(Buffer.from('GET / HTTP/1.1\r\n\r\n'));

    await agent.gone();
    await serves(2);
  });

  it('a frame that nests as deep as its size allows harms nobody', async () => {
    const agent = await host.connect(1);
    const depth = limits.frameBytes / 2 - 100;

    agent.say(JSON.parse('{"type":"ping","id":1}'));
    agent.text(deeplyNested({ type: 'ping', id: 2 }, depth));
    agent.text('['.repeat(limits.frameBytes - 10));

    await agent.gone();
    await serves(2);
  });

  it('headers that never end are not waited for', async () => {
    const { ca, certificate, key } = host.agent(1);
    const slow = connectTls({
      host: '127.0.0.1',
      port: host.agentPort,
      ca,
      cert: certificate,
      key,
    });
    slow.on('error', () => {}); // That it closes is what is looked at.
    await once(slow, 'secureConnect');
    slow.write('GET /v1/agent HTTP/1.1\r\nHost: gateway\r\nX-Slow: ');
    const drip = dripInto(slow);

    await eventually(() => assert.ok(slow.destroyed), { withinMs: 20_000 });

    drip.cancel();
    await serves(2);
  });

  it('a handshake that stalls half-way is ended, however many there are', async () => {
    const stalled = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = connectTcp(host.agentPort, '127.0.0.1');
        socket.on('error', () => {}); // That it closes is what is looked at.
        await once(socket, 'connect');
        // A TLS record that announces a ClientHello and breaks off.
        socket.write(Buffer.from('16030100fa010000f60303', 'hex'));
        return socket;
      }),
    );

    await serves(2);

    await eventually(() => assert.ok(stalled.every(isOver)), { withinMs: 20_000 });
  });

  it('an agent that reads nothing is cut off before its backlog grows, and delays nobody', async () => {
    const deaf = await host.connect(1);
    const other = await host.connect(3);
    deaf.pause(true);
    const before = usedBytes();
    const { agentId, journalId } = host.agent(1);
    const base = host.task({ targets: [{ agentId, journalId }] });
    const large = { ...base.action, content: 'x'.repeat(limits.scriptBytes - 1) };
    const stdin = { kind: 'text' as const, text: 'y'.repeat(limits.scriptStdinBytes - 1) };

    for (let at = 0; at < 80; at += 1) {
      const task = { ...base, slot: `deaf/${at}`, action: { ...large, stdin } };
      assert.equal((await host.submit(`key-deaf-${at}`, task)).status, 201);
    }
    const beside = host.agent(3);
    const targets = [{ agentId: beside.agentId, journalId: beside.journalId }];
    await host.submit('key-beside-deaf', host.task({ targets }));
    const { jobId } = await other.heard('dispatch');
    other.result(jobId);
    await other.kept();

    await eventually(
      async () => {
        const { body } = await host.call({ path: '/v1/agents/agent-1' });
        assert.equal((body as { sessionId: string | null }).sessionId, null);
      },
      { withinMs: 30_000 },
    );
    assert.ok(usedBytes() - before < 96 * mebibyte, `${(usedBytes() - before) / mebibyte} MiB`);
    deaf.pause(false);
    await Promise.all([deaf.cut(), other.cut()]);
  });
});

describe('an agent with a gateway that keeps no rule', () => {
  let authority: KeyPair;
  before(async () => {
    authority = await createAuthority(systemClock);
  });

  for (const [name, misbehave] of [
    ['announces 4 GiB', (gateway: FakeGateway) => gateway.raw(fourGigabytes({ isMasked: false }))],
    ['sends what is no frame', (gateway: FakeGateway) => gateway.sendRaw('['.repeat(mebibyte))],
    [
      'nests a frame without end',
      (gateway: FakeGateway) =>
        gateway.sendRaw(`${'{"type":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
    ],
  ] as const) {
    it(`${name}: the agent leaves, comes back, and runs what it is given then`, async () => {
      const gateway = await FakeGateway.start(authority);
      const host = await AgentHost.create(authority);
      try {
        await host.start(gateway.url);
        await gateway.connected();
        const before = usedBytes();

        misbehave(gateway);

        await gateway.connected(2);
        assert.ok(usedBytes() - before < 32 * mebibyte);
        const report = await gateway.result(
          gateway.dispatch(host.order(`echo ran >>"${host.evidence}"\n`)),
        );
        assert.equal(report.state, 'succeeded');
        assert.equal(host.starts(), 1);
      } finally {
        await host.remove();
        await gateway.stop();
      }
    });
  }
});

const isOver = (socket: Socket): boolean => socket.destroyed || socket.readyState === 'closed';

/** A byte of a header every now and then, so that the peer is never quite silent. */
function dripInto(socket: Socket): { cancel(): void } {
  let timer = systemClock.after(0, () => {});
  const drip = () => {
    if (!socket.destroyed) socket.write('x');
    timer = systemClock.after(200, drip);
  };
  drip();
  return { cancel: () => timer.cancel() };
}

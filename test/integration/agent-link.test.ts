import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Connection } from '../../agent/connection.ts';
import {
  createAuthority,
  issueCertificate,
  type KeyPair,
} from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { type Log, silentLog } from '../../platform/log.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { aTrust } from '../support/signing.ts';

let authority: KeyPair;
let host: AgentHost;
const gateways: FakeGateway[] = [];

const started = async (gateway: Promise<FakeGateway>): Promise<FakeGateway> => {
  gateways.push(await gateway);
  return gateway;
};

/** A log that keeps the sentences. */
function keptLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const keep = (_fields: object, message: string) => void lines.push(message);
  const log: Log = { ...silentLog, info: keep, warn: keep, error: keep, child: () => log };
  return { log, lines };
}

describe('an agent’s link', () => {
  before(async () => {
    authority = await createAuthority(systemClock);
  });
  beforeEach(async () => {
    host = await AgentHost.create(authority);
  });
  afterEach(async () => {
    await host.remove();
    for (const gateway of gateways.splice(0)) await gateway.stop();
  });
  after(() => assert.equal(gateways.length, 0));

  it('says who it is and how far its journal goes', async () => {
    const gateway = await started(FakeGateway.start(authority));

    await host.start(gateway.url);
    const hello = await gateway.connected();

    assert.equal(hello.agentId, host.agentId);
    assert.equal(hello.journalId, host.journalId);
    assert.equal(hello.sequence, 0);
    const jobId = gateway.dispatch(host.order('true\n'));
    await gateway.result(jobId);
    gateway.drop();
    assert.ok((await gateway.connected(2)).sequence >= 3);
  });

  it('says nothing to a gateway of another authority', async () => {
    const gateway = await started(FakeGateway.start(await createAuthority(systemClock)));
    const { log, lines } = keptLog();

    await host.start(gateway.url, { log });
    await eventually(() => assert.ok(lines.filter((each) => each === 'not connected').length >= 2));

    assert.equal(gateway.hellos.length, 0);
  });

  it('says nothing to another agent that poses as a gateway', async () => {
    const { certificate, key } = await issueCertificate({
      authority,
      subject: { kind: 'agent', agentId: '0123456789ab', labels: {} },
      clock: systemClock,
    });
    const tls = { ca: authority.certificate, cert: certificate, key };
    const gateway = await started(FakeGateway.startWith(tls));
    const { log, lines } = keptLog();

    await host.start(gateway.url, { log });
    await eventually(() => assert.ok(lines.filter((each) => each === 'not connected').length >= 2));

    assert.equal(gateway.hellos.length, 0);
  });

  it('trusts gateways of an authority that its trust bundle names beside its own', async () => {
    const next = await createAuthority(systemClock);
    const own = await issueCertificate({
      ...{ authority: next, subject: { kind: 'gateway' }, clock: systemClock },
    });
    const tls = { ca: authority.certificate, cert: own.certificate, key: own.key };
    const gateway = await started(FakeGateway.startWith(tls));
    const bundle = await aTrust({ authorities: [authority.certificate, next.certificate] });
    host.write('trust.json', JSON.stringify(bundle));

    await host.start(gateway.url);

    assert.equal((await gateway.connected()).agentId, host.agentId);
  });

  it('comes back after a gateway is gone, and finds another one', async () => {
    const first = await started(FakeGateway.start(authority));
    const second = await started(FakeGateway.start(authority));

    await host.start('', { gateways: [first.url, second.url] });
    await eventually(() => assert.equal(first.hellos.length + second.hellos.length, 1));
    const [used, other] = first.hellos.length === 1 ? [first, second] : [second, first];
    gateways.splice(gateways.indexOf(used), 1);
    await used.stop();

    const hello = await other.connected();
    assert.equal(hello.agentId, host.agentId);
  });

  it('ends a session whose frames are none, and opens another', async () => {
    const gateway = await started(FakeGateway.start(authority));
    await host.start(gateway.url);
    await gateway.connected();

    gateway.sendRaw('{"type":"format-the-disk"}');
    await gateway.connected(2);
    gateway.sendRaw(Buffer.from([1, 2, 3]));
    await gateway.connected(3);

    assert.equal(gateway.hellos.length, 3);
  });

  it('gives a silent gateway up', async () => {
    const gateway = await started(FakeGateway.start(authority));
    await host.start(gateway.url);
    await gateway.connected();

    gateway.answer.isSilent = true;
    await gateway.connected(2);

    assert.equal(gateway.hellos.length, 2);
  });

  it('comes back no sooner than a good-bye asks', async () => {
    const gateway = await started(FakeGateway.start(authority));
    await host.start(gateway.url);
    await gateway.connected();

    const saidAt = performance.now();
    gateway.send({ type: 'bye', reason: 'draining', retryAfterMs: 700 });
    await gateway.connected(2);

    assert.ok(performance.now() - saidAt >= 700);
  });

  it('that is stopped before it was welcomed ends', async () => {
    const { certificate, key } = await issueCertificate({
      authority,
      subject: { kind: 'agent', agentId: host.agentId, labels: {} },
      clock: systemClock,
    });
    const gateway = await started(FakeGateway.start(authority));
    const connection = new Connection({
      identity: {
        agentId: host.agentId,
        journalId: host.journalId,
        key,
        certificate,
        authority: authority.certificate,
      },
      authorities: () => [],
      gateways: [gateway.url],
      clock: systemClock,
      log: silentLog,
      hello: () => ({ type: 'ping', id: 1 }),
      onWelcome: () => {},
      onFrame: () => {},
      onClose: () => {},
    });

    connection.start();
    await connection.stop();

    assert.equal(gateway.hellos.length, 0);
  });
});

describe('an agent’s state folder', () => {
  beforeEach(async () => {
    authority = await createAuthority(systemClock);
    host = await AgentHost.create(authority);
  });
  afterEach(() => host.remove());

  it('with a key but no journal-id keeps the agent from starting', async () => {
    rmSync(join(host.root, 'journal-id'));

    await assert.rejects(host.start('wss://127.0.0.1:1'), /journal-id.*journal is lost/);
  });

  it('whose journal is gone although jobs ran keeps the agent from starting', async () => {
    const agent = await host.start('wss://127.0.0.1:1');
    await agent.stop();
    rmSync(join(host.root, 'journal'), { recursive: true });

    await assert.rejects(host.start('wss://127.0.0.1:1'), /what ran is no longer known/);
  });

  it('that others can read is refused', async () => {
    chmodSync(join(host.root, 'identity.key'), 0o644);

    await assert.rejects(host.start('wss://127.0.0.1:1'), /chmod 600/);
  });

  it('serves one agent at a time, and not a dead one', async () => {
    const first = await host.start('wss://127.0.0.1:1');
    await assert.rejects(host.start('wss://127.0.0.1:1'), /another agent runs/);
    await first.stop();

    writeFileSync(join(host.root, 'lock'), `${process.pid} 1 an-earlier-boot`);
    const second = await host.start('wss://127.0.0.1:1');
    await second.stop();
  });

  it('is taken over from a dead agent by one of several that start together', async () => {
    writeFileSync(join(host.root, 'lock'), `${process.pid} 1 an-earlier-boot`);

    const children = [1, 2, 3].map(() => host.spawn('wss://127.0.0.1:1'));

    const running = () => children.filter(({ exitCode }) => exitCode === null);
    await eventually(() => assert.equal(running().length, 1), { withinMs: 20_000 });
    const holder = readFileSync(join(host.root, 'lock'), 'utf8').split(' ')[0];
    assert.deepEqual([String(running()[0]?.pid)], [holder]);
  });
});

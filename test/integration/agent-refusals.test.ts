import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { signedBy, testKey } from '../support/signing.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;

const outcome = async (order: ReturnType<AgentHost['order']>) => {
  const report = await gateway.result(gateway.dispatch(order));
  return `${report.state} ${report.reason}`;
};

describe('an agent that must not start a job', () => {
  before(async () => {
    authority = await createAuthority(systemClock);
  });
  beforeEach(async () => {
    gateway = await FakeGateway.start(authority);
    host = await AgentHost.create(authority);
  });
  afterEach(async () => {
    await host.remove();
    await gateway.stop();
  });

  const touch = () => `echo ran >>"${host.evidence}"\n`;
  const nothingRan = () => {
    assert.equal(host.starts(), 0);
    assert.deepEqual(readdirSync(join(host.root, 'jobs')), []);
  };

  it('refuses a job for another agent, journal or script, each with its reason', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const { job, content } = host.order(touch());

    assert.equal(
      await outcome({ job: { ...job, agentId: '0123456789ab' }, content }),
      'refused wrong_target',
    );
    assert.equal(
      await outcome({ job: { ...job, journalId: '0'.repeat(26) }, content }),
      'refused wrong_journal',
    );
    assert.equal(
      await outcome(host.order(touch(), { contentDigest: `sha256:${'0'.repeat(64)}` })),
      'refused digest_mismatch',
    );
    nothingRan();
  });

  it('refuses what is no job, or one of a version to come', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const { job, content } = host.order(touch());
    const jobId = `${job.taskId}.${job.agentId}`;
    const signed = (text: string) => {
      gateway.dispatchText({ jobId, content, job: text, signature: signedBy(testKey, text) });
      return gateway.result(jobId, gateway.results.length + 1);
    };

    const { slot: _, ...noSlot } = job;
    assert.equal((await signed(JSON.stringify(noSlot))).reason, 'invalid_job');
    assert.equal((await signed(JSON.stringify({ ...job, version: 3 }))).reason, 'unsupported');
    assert.equal(await outcome(host.order(touch(), { args: ['a\0b'] })), 'refused invalid_job');
    nothingRan();
  });

  it('refuses without a start lease, after asking for one at once', async () => {
    gateway.answer.lease = false;
    await host.start(gateway.url);
    await gateway.connected();

    assert.equal(await outcome(host.order(touch())), 'refused no_lease');
    nothingRan();

    gateway.answer.lease = true;
    assert.equal(await outcome(host.order(touch())), 'succeeded null');
  });

  it('refuses while it has not heard the gateway’s time', async () => {
    gateway.answer.isSilent = true;
    await host.start(gateway.url);
    await gateway.connected();

    assert.equal(await outcome(host.order(touch())), 'refused clock_unknown');
    nothingRan();
  });

  it('refuses while everything is stopped, and starts as soon as it is allowed', async () => {
    Object.assign(gateway.answer, { lease: false, stopped: true });
    await host.start(gateway.url);
    await gateway.connected();

    assert.equal(await outcome(host.order(touch())), 'refused stopped');
    nothingRan();

    Object.assign(gateway.answer, { lease: true, stopped: false });
    assert.equal(await outcome(host.order(touch())), 'succeeded null');
  });

  it('refuses while the host has its own stop file', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    host.write('stop', '');

    assert.equal(await outcome(host.order(touch())), 'refused stopped');
    nothingRan();
  });

  it('tells a job that queued too long as expired, by the gateway’s clock', async () => {
    gateway.answer.aheadMs = 600_000;
    await host.start(gateway.url);
    await gateway.connected();
    await outcome(host.order('true\n', { notAfter: Date.now() + 3_600_000 }));
    rmSync(join(host.root, 'jobs'), { recursive: true });

    assert.equal(
      await outcome(host.order(touch(), { notAfter: Date.now() + 300_000 })),
      'expired not_after',
    );
    assert.equal(host.starts(), 0);
  });

  it('refuses a job whose secret the host has not', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const order = host.order(touch(), { secretEnv: { TOKEN: 'no-such' } });
    assert.equal(await outcome(order), 'refused no_such_secret');
    nothingRan();
  });

  it('refuses a second attempt of a slot while the first one runs', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const slot = 'remediation:test/restart.host';
    const first = gateway.dispatch(host.order('sleep 600\n', { slot }));

    assert.equal(
      await outcome(host.order(touch(), { slot, attempt: 2 })),
      'refused previous_attempt_alive',
    );
    assert.equal(host.starts(), 0);

    gateway.send({ type: 'cancel', jobId: first, reason: 'operator' });
    await gateway.result(first);
    assert.equal(await outcome(host.order(touch(), { slot, attempt: 3 })), 'succeeded null');
  });

  it('runs no more jobs side by side than it may', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    // They wait in the kernel: forty loops of `sleep` would take the cores that start the others.
    execFileSync('mkfifo', [join(host.root, 'go')]);
    const orders = Array.from({ length: 40 }, () => host.order(`${touch()}: <"${host.root}/go"\n`));

    const jobIds = orders.map((order) => gateway.dispatch(order));
    await eventually(() => {
      assert.equal(gateway.results.length, 8);
      assert.equal(host.starts(), 32);
    });
    // Open to the end, for those that have started and do not wait yet.
    const go = openSync(join(host.root, 'go'), 'w');
    const reports = await Promise.all(jobIds.map((jobId) => gateway.result(jobId)));
    closeSync(go);

    const states = reports.map(({ state, reason }) => `${state} ${reason}`);
    assert.equal(states.filter((each) => each === 'refused busy').length, 8);
    assert.equal(states.filter((each) => each === 'succeeded null').length, 32);
    assert.equal(host.starts(), 32);
  });

  it('answers a job it ran from its journal, too late and without a lease', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const order = host.order(`${touch()}echo done; exit 7\n`);
    const jobId = gateway.dispatch(order);
    const first = await gateway.result(jobId);

    Object.assign(gateway.answer, { lease: false, stopped: true, aheadMs: 600_000 });
    // The agent has heard it: whatever else is sent now is too late.
    const late = () => host.order('true\n', { notAfter: Date.now() + 300_000 });
    await eventually(async () => assert.equal(await outcome(late()), 'expired not_after'));
    gateway.forgetOutput();
    gateway.dispatch(order);
    const second = await gateway.result(jobId, 2);

    assert.deepEqual(second, first);
    assert.equal(gateway.output(jobId, 'stdout').toString(), 'done\n');
    assert.equal(host.starts(), 1);
  });

  it('a job sent ten times at once starts once', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const order = host.order(`${touch()}sleep 0.2\n`);

    for (let times = 0; times < 10; times += 1) gateway.dispatch(order);
    const report = await gateway.result(gateway.dispatch(order));

    assert.equal(report.state, 'succeeded');
    assert.equal(host.starts(), 1);
    assert.equal(existsSync(host.evidence), true);
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemProcesses } from '../../agent/process-table.ts';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import type { Job } from '../../contracts/task.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { AgentHost, rebooted } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;

/** The host's clock, hours on. */
const later: Clock = { ...systemClock, now: () => Date.now() + 3 * 3_600_000 };

describe('a job whose purpose is a reboot', () => {
  before(async () => {
    authority = await createAuthority(systemClock);
    gateway = await FakeGateway.start(authority);
  });
  after(() => gateway.stop());
  beforeEach(async () => {
    gateway.hellos.length = 0;
    host = await AgentHost.create(authority);
  });
  afterEach(() => host.remove());

  const order = (content: string, over: Partial<Job> = {}) =>
    host.order(`echo ran >>"${host.evidence}"\n${content}`, {
      version: 2,
      expectReboot: true,
      ...over,
    });

  /** Runs the job on an agent until it waits, then takes agent and processes away, as a reboot does. */
  const upToReboot = async (of: ReturnType<typeof order>) => {
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(of);
    await eventually(() => assert.equal(host.starts(), 1));
    await agent.stop();
    const leader = Number(readFileSync(join(host.root, 'jobs', jobId, 'pid'), 'utf8'));
    systemProcesses.signalGroup(leader, 'SIGKILL');
    await eventually(() => assert.equal(systemProcesses.isGroupAlive(leader), false));
    return jobId;
  };

  it('succeeds once the host is back, and is not started again', async () => {
    const rebooting = order('sleep 600\n');
    const jobId = await upToReboot(rebooting);

    await host.start(gateway.url, { processes: rebooted });
    await gateway.connected(2);
    gateway.dispatch(rebooting);
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'succeeded');
    assert.equal(report.exitCode, null);
    assert.equal(host.starts(), 1);
  });

  it('has timed out when the host comes back too late', async () => {
    const jobId = await upToReboot(order('sleep 600\n'));

    await host.start(gateway.url, { processes: rebooted, clock: later });
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'timed_out');
    assert.match(report.note ?? '', /came back too late/);
  });

  it('that exits 0 is not done before the reboot, also for a second agent of that boot', async () => {
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order('exit 0\n'));
    await eventually(() => readFileSync(join(host.root, 'jobs', jobId, 'exit')));
    await agent.stop();

    const second = await host.start(gateway.url);
    await gateway.connected(2);
    gateway.dispatch(host.order('true\n', { slot: 'other' }));
    await eventually(() => assert.equal(gateway.results.at(-1)?.report.state, 'succeeded'));
    assert.equal(
      gateway.results.some((each) => each.jobId === jobId),
      false,
    );
    await second.stop();

    await host.start(gateway.url, { processes: rebooted });
    assert.equal((await gateway.result(jobId)).state, 'succeeded');
  });

  it('has timed out when no reboot comes', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const limits = { timeoutMs: 500, outputBytes: 1_000 };
    const report = await gateway.result(gateway.dispatch(order('exit 0\n', { limits })));

    assert.equal(report.state, 'timed_out');
    assert.equal(report.note, 'the host did not reboot in time');
  });

  it('that fails by its own status has failed, at once or after the next boot', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const report = await gateway.result(gateway.dispatch(order('exit 7\n')));

    assert.equal(report.state, 'failed');
    assert.equal(report.exitCode, 7);
  });

  it('cancelled while it waits is cancelled', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order('exit 0\n'));
    await eventually(() => readFileSync(join(host.root, 'jobs', jobId, 'exit')));

    gateway.send({ type: 'cancel', jobId, reason: 'operator' });

    assert.equal((await gateway.result(jobId)).state, 'cancelled');
  });
});

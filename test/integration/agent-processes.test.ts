import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type ProcessTable, systemProcesses } from '../../agent/process-table.ts';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;
let sequence = 0;

/** A host on which the agent may make no control groups, whatever this one allows. */
const sweeping: ProcessTable = { ...systemProcesses, cgroupHome: () => null };

/** Live processes with that word in their command line. */
const alive = (word: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(
      (pid) => systemProcesses.startTimeOf(pid) !== null && systemProcesses.hasArgument(pid, word),
    );

/** A number of seconds that names the test's own sleeper. */
const aSleep = () => `600.${process.pid}${++sequence}`;

/**
 * Leaves its process group in three ways, TERM ignored, and stays: a new session; a double fork
 * into one, whose parent is gone; and a new session with nothing of the job's environment.
 */
const fleeing = (sleep: string) => `
setsid sh -c 'trap "" TERM; sleep ${sleep}' >/dev/null 2>&1 &
( setsid sh -c 'trap "" TERM; (trap "" TERM; sleep ${sleep}) & ' >/dev/null 2>&1 & )
env -i /usr/bin/setsid /bin/sleep ${sleep} >/dev/null 2>&1 &
echo ready
trap "" TERM
sleep ${sleep}
`;

describe('processes that leave their group', () => {
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

  const ways = [
    { name: 'sweep', processes: sweeping },
    // Where this host allows none, that is what is said.
    {
      name: systemProcesses.cgroupHome() === null ? 'sweep' : 'cgroup',
      processes: systemProcesses,
    },
  ];
  for (const { name, processes } of ways) {
    it(`are ended by a timeout, and the report says by ${name} and how many`, async () => {
      const sleep = aSleep();
      await host.start(gateway.url, { processes });
      await gateway.connected();

      const order = host.order(fleeing(sleep), {
        limits: { timeoutMs: 1_000, outputBytes: 1_000 },
      });
      const report = await gateway.result(gateway.dispatch(order));

      assert.equal(report.state, 'timed_out');
      assert.deepEqual(alive(sleep), []);
      assert.match(report.note ?? '', new RegExp(`^killed by ${name}, [3-9] orphans with it$`));
    });

    it(`are ended by a cancel by ${name}`, async () => {
      const sleep = aSleep();
      await host.start(gateway.url, { processes });
      await gateway.connected();
      const jobId = gateway.dispatch(host.order(fleeing(sleep)));
      await eventually(() => assert.ok(alive(sleep).length >= 4));

      gateway.send({ type: 'cancel', jobId, reason: 'operator' });
      const report = await gateway.result(jobId);

      assert.equal(report.state, 'cancelled');
      assert.deepEqual(alive(sleep), []);
    });
  }

  it('keep the slot of an attempt whose end nobody saw, also for the next agent', async () => {
    const sleep = aSleep();
    const slot = 'remediation:test/restart.host';
    const order = host.order(`setsid sleep ${sleep} >/dev/null 2>&1 & echo on; sleep 600\n`, {
      slot,
    });
    const agent = await host.start(gateway.url, { processes: sweeping });
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(alive(sleep).length, 1));
    await agent.stop();
    const leader = Number(readFileSync(join(host.root, 'jobs', jobId, 'pid'), 'utf8'));
    process.kill(-leader, 'SIGKILL');
    await eventually(() => assert.equal(systemProcesses.isGroupAlive(leader), false));

    await host.start(gateway.url, { processes: sweeping });
    await gateway.connected(2);
    const second = gateway.dispatch(host.order('true\n', { slot, attempt: 2 }));
    assert.equal((await gateway.result(second)).reason, 'previous_attempt_alive');

    for (const pid of alive(sleep)) process.kill(pid, 'SIGKILL');
    assert.equal((await gateway.result(jobId)).reason, 'agent_restarted');
    const third = gateway.dispatch(host.order('true\n', { slot, attempt: 3 }));
    assert.equal((await gateway.result(third)).state, 'succeeded');
  });

  it('keep the slot of a killed attempt that the kernel does not let go', async () => {
    const sleep = aSleep();
    const slot = 'remediation:test/restart.host';
    // As a process that hangs in the kernel: no signal reaches it.
    const stubborn: ProcessTable = { ...sweeping, signal: () => {} };
    await host.start(gateway.url, { processes: stubborn, killWaitMs: 200 });
    await gateway.connected();
    const content = `setsid sleep ${sleep} >/dev/null 2>&1 & sleep 600\n`;
    const order = host.order(content, { slot, limits: { timeoutMs: 500, outputBytes: 1_000 } });
    const report = await gateway.result(gateway.dispatch(order));

    assert.equal(report.state, 'timed_out');
    assert.match(report.note ?? '', /1 process could not be/);
    const second = gateway.dispatch(host.order('true\n', { slot, attempt: 2 }));
    assert.equal((await gateway.result(second)).reason, 'previous_attempt_alive');

    for (const pid of alive(sleep)) process.kill(pid, 'SIGKILL');
    const third = gateway.dispatch(host.order('true\n', { slot, attempt: 3 }));
    assert.equal((await gateway.result(third)).state, 'succeeded');
  });

  it('are left alone when the script ended by itself, and keep no slot', async () => {
    const sleep = aSleep();
    const slot = 'remediation:test/restart.host';
    await host.start(gateway.url);
    await gateway.connected();

    const order = host.order(`setsid sleep ${sleep} >/dev/null 2>&1 &\n`, { slot });
    const first = await gateway.result(gateway.dispatch(order));
    const second = gateway.dispatch(host.order('true\n', { slot, attempt: 2 }));

    assert.equal(first.state, 'succeeded');
    assert.equal((await gateway.result(second)).state, 'succeeded');
    assert.equal(alive(sleep).length, 1);
    for (const pid of alive(sleep)) process.kill(pid, 'SIGKILL');
  });
});

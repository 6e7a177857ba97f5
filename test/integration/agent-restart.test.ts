import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemProcesses } from '../../agent/process-table.ts';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost, rebooted } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
};

const kill = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  child.kill(signal);
  await ended(child);
};

describe('an agent that dies', () => {
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
  const release = () => host.write('go', '');
  const waiting = () =>
    `${touch()}echo begin; while [ ! -e "${host.root}/go" ]; do sleep 0.05; done; echo end; exit 7\n`;
  const crashAt = (point: string) => ({ FIXPOINT_CRASH_POINT: `${point}@${host.root}/crashed` });

  it('after the intent leaves nothing started and the outcome unknown', async () => {
    const order = host.order(touch());
    const child = host.spawn(gateway.url, crashAt('after-intent'));
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await ended(child);

    host.spawn(gateway.url, crashAt('after-intent'));
    await gateway.connected(2);
    gateway.dispatch(order);
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'unknown');
    assert.equal(report.reason, 'agent_restarted');
    assert.equal(host.starts(), 0);
  });

  it('while a script runs comes back to it and tells its true end', async () => {
    const order = host.order(waiting());
    const child = host.spawn(gateway.url, crashAt('while-running'));
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await ended(child);

    host.spawn(gateway.url);
    await gateway.connected(2);
    gateway.dispatch(order);
    await eventually(() => assert.equal(gateway.output(jobId, 'stdout').toString(), 'begin\n'));
    release();
    const report = await gateway.result(jobId);

    assert.equal(report.reason, 'exit_code');
    assert.equal(report.exitCode, 7);
    assert.equal(gateway.output(jobId, 'stdout').toString(), 'begin\nend\n');
    assert.equal(host.starts(), 1);
  });

  it('in the middle of a sleep leaves it alone: succeeded, one start, the output whole', async () => {
    const lines = (name: string) =>
      `i=0; while [ $i -lt 500 ]; do echo ${name} $i; i=$((i + 1)); done\n`;
    const order = host.order(`${touch()}${lines('before')}sleep 3\n${lines('after')}`);
    const child = host.spawn(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(host.starts(), 1));
    await kill(child, 'SIGKILL');

    host.spawn(gateway.url);
    await gateway.connected(2);
    gateway.dispatch(order);
    const report = await gateway.result(jobId);

    const expected = ['before', 'after'].flatMap((name) =>
      Array.from({ length: 500 }, (_, at) => `${name} ${at}\n`),
    );
    assert.equal(report.state, 'succeeded');
    assert.equal(gateway.output(jobId, 'stdout').toString(), expected.join(''));
    assert.equal(host.starts(), 1);
  });

  it('while a script runs finds its exit status if it ended meanwhile', async () => {
    const order = host.order(waiting());
    const child = host.spawn(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(host.starts(), 1));
    await kill(child, 'SIGKILL');
    release();
    await eventually(() => readFileSync(join(host.root, 'jobs', jobId, 'exit')));

    host.spawn(gateway.url);
    const report = await gateway.result(jobId);

    assert.equal(report.exitCode, 7);
    assert.equal(gateway.output(jobId, 'stdout').toString(), 'begin\nend\n');
    assert.equal(host.starts(), 1);
  });

  it('before the result is told tells it after the restart', async () => {
    const order = host.order(`${touch()}exit 7\n`);
    const child = host.spawn(gateway.url, crashAt('before-result'));
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await ended(child);
    assert.equal(gateway.results.length, 0);

    host.spawn(gateway.url, crashAt('before-result'));
    const report = await gateway.result(jobId);

    assert.equal(report.exitCode, 7);
    assert.equal(host.starts(), 1);
  });

  it('while a script runs keeps the script’s time limit', async () => {
    const order = host.order(`${touch()}trap "" TERM; sleep 600\n`, {
      limits: { timeoutMs: 1_000, outputBytes: 1_000 },
    });
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(host.starts(), 1));
    await agent.stop();

    await host.start(gateway.url);
    const report = await gateway.result(jobId);

    assert.equal(report.reason, 'job_timeout');
    assert.equal(host.starts(), 1);
  });

  it('between a stop and the end brings the stop to its end', async () => {
    const order = host.order(`${touch()}trap "" TERM; sleep 600\n`);
    const agent = await host.start(gateway.url, { killGraceMs: 60_000 });
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(host.starts(), 1));
    gateway.send({ type: 'cancel', jobId, reason: 'stop' });
    const journal = join(host.root, 'journal');
    await eventually(() => assert.match(textOf(journal), /stop_requested/));
    await agent.stop();

    await host.start(gateway.url);
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'cancelled');
    assert.equal(report.reason, 'stop');
  });

  it('together with the helper leaves the outcome unknown once the script is gone', async () => {
    const slot = 'remediation:test/restart.host';
    const order = host.order(`${touch()}echo $$; sleep 600\n`, { slot });
    const child = host.spawn(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.notEqual(gateway.output(jobId, 'stdout').length, 0));
    await kill(child, 'SIGKILL');
    const helper = Number(readFileSync(join(host.root, 'jobs', jobId, 'pid'), 'utf8'));
    process.kill(helper, 'SIGKILL');
    await eventually(() => assert.equal(systemProcesses.startTimeOf(helper), null));

    await host.start(gateway.url);
    await gateway.connected(2);
    const second = gateway.dispatch(host.order(touch(), { slot, attempt: 2 }));
    assert.equal((await gateway.result(second)).reason, 'previous_attempt_alive');
    process.kill(-helper, 'SIGKILL');
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'unknown');
    assert.equal(report.reason, 'agent_restarted');
    assert.equal(host.starts(), 1);
  });

  it('with its host, by a reboot, leaves the outcome unknown', async () => {
    const order = host.order(waiting());
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(host.starts(), 1));
    await agent.stop();

    await host.start(gateway.url, { processes: rebooted });
    const report = await gateway.result(jobId);
    release();

    assert.equal(report.state, 'unknown');
    assert.equal(report.reason, 'rebooted');
    assert.equal(host.starts(), 1);
  });

  it('with its journal damaged answers from the job’s folder and starts nothing', async () => {
    const order = host.order(`${touch()}exit 7\n`);
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await gateway.result(jobId);
    await agent.stop();
    const { files } = journalOf(host);
    for (const file of files) writeFileSync(file, Buffer.alloc(300, 0x5a));

    await host.start(gateway.url);
    await gateway.connected(2);
    gateway.dispatch(order);
    const report = await gateway.result(jobId, 2);

    assert.equal(report.exitCode, 7);
    assert.equal(host.starts(), 1);
  });

  it('by TERM says good-bye and lets the script run on', async () => {
    const order = host.order(waiting());
    const child = host.spawn(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    await eventually(() => assert.equal(host.starts(), 1));

    await kill(child, 'SIGTERM');
    assert.equal(child.exitCode, 0);
    assert.equal(gateway.goodbyes.length, 1);
    host.spawn(gateway.url);
    await gateway.connected(2);
    release();

    assert.equal((await gateway.result(jobId)).exitCode, 7);
    assert.equal(host.starts(), 1);
  });

  it('sends a result again on every connect until it is stored', async () => {
    gateway.isStoring = false;
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(host.order(`${touch()}exit 7\n`));
    await gateway.result(jobId);

    gateway.drop();
    await gateway.result(jobId, 2);
    gateway.isStoring = true;
    gateway.drop();
    await gateway.result(jobId, 3);
    await eventually(() => assert.match(textOf(join(host.root, 'journal')), /"stored"/));

    assert.equal(host.starts(), 1);
  });
});

function journalOf(of: AgentHost): { files: string[] } {
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  return { files: [join(of.root, 'journal', `${today}.log`)] };
}

function textOf(folder: string): string {
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  return readFileSync(join(folder, `${today}.log`), 'latin1');
}

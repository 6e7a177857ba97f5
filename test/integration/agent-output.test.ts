import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { residentBytes } from '../support/resident-bytes.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;

describe('an agent’s output', () => {
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

  const ask = async (jobId: string, offset: number, limit: number = limits.outputGetBytes) => {
    const answer = await gateway.ask({ jobId, stream: 'stdout', offset, limit });
    if (answer.kind !== 'piece') throw new Error(`the answer is ${answer.kind}`);
    return answer;
  };

  it('a secret is masked also where it is read while the job runs, at any cut', async () => {
    const canary = 'CANARY-5f0c9e-secret-value';
    await host.start(gateway.url);
    await gateway.connected();
    host.write('secrets/token', `${canary}\n`);
    const before = limits.outputHeadBytes + 1_000;
    const content = `head -c ${before} /dev/zero | tr '\\0' x; printf '%s' "$TOKEN"
      head -c 200 /dev/zero | tr '\\0' y; while [ ! -e "$GO" ]; do sleep 0.05; done; printf end`;
    const jobId = gateway.dispatch(
      host.order(content, { secretEnv: { TOKEN: 'token' }, env: { GO: host.evidence } }),
    );
    await eventually(async () => {
      assert.equal((await ask(jobId, 0, 1)).total, before + canary.length + 200);
    });

    const running: string[] = [];
    for (let cut = -3; cut < canary.length + 3; cut += 1) {
      const first = await ask(jobId, before - 10, 10 + cut);
      const rest = await ask(jobId, before + cut, 60 - cut);
      running.push(`${first.data}${rest.data}`);
    }
    writeFileSync(host.evidence, '');
    await gateway.result(jobId);
    const ended = await ask(jobId, before - 10, 70);

    const masked = `${'x'.repeat(10)}${'*'.repeat(canary.length)}${'y'.repeat(34)}`;
    assert.deepEqual([...new Set(running)], [masked]);
    assert.equal(String(ended.data), masked);
  });

  it('a flood beyond its limit keeps agent and link flat, and is marked as cut', async () => {
    const agent = host.spawn(gateway.url);
    const pid = agent.pid ?? 0;
    await gateway.connected();
    const warmUp = gateway.dispatch(host.order('yes | head -c 100000'));
    await gateway.result(warmUp);
    const bytesBefore = gateway.bytesTaken;
    const residentBefore = residentBytes(pid);

    // It ignores TERM, so that it floods on until the KILL.
    const jobId = gateway.dispatch(host.order('trap "" TERM; yes'));
    let residentMax = 0;
    const report = await eventually(
      () => {
        residentMax = Math.max(residentMax, residentBytes(pid));
        const result = gateway.results.find((each) => each.jobId === jobId);
        if (result === undefined) throw new Error('it goes on');
        return result.report;
      },
      { withinMs: 15_000 },
    );

    assert.deepEqual([report.state, report.reason], ['failed', 'output_overflow']);
    assert.deepEqual([report.outputCut, report.stdoutBytes], [true, limits.outputBytes]);
    assert.equal(statSync(join(host.root, 'jobs', jobId, 'stdout')).size, limits.outputBytes);
    const most = 2 * limits.outputHeadBytes + limits.outputTailBytes;
    assert.ok(gateway.bytesTaken - bytesBefore < most + 20_000);
    // What V8's heap takes while it warms up, and no more than that.
    const grown = (residentMax - residentBefore) / 1024 / 1024;
    assert.ok(grown < 48, `it grew by ${grown} MiB`);
  });

  it('output of a job that the agent does not keep any more is gone, and said to be', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(host.order('echo here'));
    await gateway.result(jobId);
    const other = `t${'a'.repeat(25)}.${host.agentId}`;
    const never = await gateway.ask({ jobId: other, stream: 'stdout', offset: 0, limit: 1 });
    rmSync(join(host.root, 'jobs', jobId), { recursive: true });
    const retired = await gateway.ask({ jobId, stream: 'stdout', offset: 0, limit: 1 });

    assert.deepEqual([never.kind, retired.kind], ['gone', 'gone']);
  });
});

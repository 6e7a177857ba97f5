import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemProcesses } from '../../agent/process-table.ts';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;

describe('an agent’s jobs', () => {
  before(async () => {
    authority = await createAuthority(systemClock);
    gateway = await FakeGateway.start(authority);
  });
  after(() => gateway.stop());
  beforeEach(async () => {
    Object.assign(gateway.answer, { lease: true, stopped: false, isSilent: false, aheadMs: 0 });
    gateway.hellos.length = 0;
    host = await AgentHost.create(authority);
  });
  afterEach(() => host.remove());

  const run = async (order: ReturnType<AgentHost['order']>) => {
    const jobId = gateway.dispatch(order);
    const report = await gateway.result(jobId);
    return { jobId, report, stdout: gateway.output(jobId, 'stdout').toString('utf8') };
  };

  /** All of a job's output, by as many questions as it takes. */
  const wholeOf = async (jobId: string) => {
    const pieces: Buffer[] = [];
    for (let offset = 0; ; ) {
      const asked = { jobId, stream: 'stdout', offset, limit: limits.outputGetBytes } as const;
      const answer = await gateway.ask(asked);
      assert.equal(answer.kind, 'piece');
      if (answer.kind !== 'piece' || answer.data.length === 0) return Buffer.concat(pieces);
      pieces.push(answer.data);
      offset += answer.data.length;
    }
  };

  it('exit 7 is a failure with its exit code', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const { report, jobId } = await run(host.order('echo out; echo err >&2; exit 7\n'));

    assert.equal(report.state, 'failed');
    assert.equal(report.reason, 'exit_code');
    assert.equal(report.exitCode, 7);
    assert.equal(gateway.output(jobId, 'stdout').toString(), 'out\n');
    assert.equal(gateway.output(jobId, 'stderr').toString(), 'err\n');
    assert.equal(report.stdoutBytes, 4);
    assert.equal(report.outputCut, undefined);
    assert.ok(report.startedAt !== null && report.finishedAt !== null);
    const states = gateway.acks.filter((ack) => ack.jobId === jobId).map((ack) => ack.state);
    // What is over at once need not be told as begun before.
    assert.match(states.join(' '), /^(acked ?)?(running)?$/);
  });

  it('of 3 MB the ends come before the result, and all of it byte for byte when it is asked for', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const line = '修復が終わりました 🛠️ 完了';
    const content = 'i=0\nwhile [ $i -lt 12 ]; do cat "$FILE"; i=$((i + 1)); done\n';
    host.write('text', Buffer.from(`${line}\n`.repeat(6_500)));
    const expected = Buffer.from(readFileSync(join(host.root, 'text')).toString().repeat(12));

    const { jobId, report } = await run(
      host.order(content, { env: { FILE: join(host.root, 'text') } }),
    );

    assert.equal(report.state, 'succeeded');
    assert.equal(report.stdoutBytes, expected.length);
    const head = gateway.output(jobId, 'stdout');
    const tail = gateway.tails.get(`${jobId} stdout`);
    assert.ok(head.equals(expected.subarray(0, limits.outputHeadBytes)));
    assert.ok(tail?.data.equals(expected.subarray(-limits.outputTailBytes)));
    assert.equal(tail?.offset, expected.length - limits.outputTailBytes);
    assert.ok((await wholeOf(jobId)).equals(expected));
  });

  it('output is streamed while the script runs', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(
      host.order('echo first\nwhile [ ! -e "$GO" ]; do sleep 0.05; done\necho last\n', {
        env: { GO: host.evidence },
      }),
    );

    await eventually(() => assert.equal(gateway.output(jobId, 'stdout').toString(), 'first\n'));
    writeFileSync(host.evidence, '');
    await gateway.result(jobId);

    assert.equal(gateway.output(jobId, 'stdout').toString(), 'first\nlast\n');
  });

  it('sleep 600 with a timeout of 2 s and a child that ignores TERM: timed out, nothing of the group left', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const content = '(trap "" TERM; echo child; sleep 600; sleep 600) &\nsleep 600\n';

    const order = host.order(content, { limits: { timeoutMs: 2_000, outputBytes: 1_000 } });
    const { report, jobId, stdout } = await run(order);

    assert.equal(report.state, 'timed_out');
    assert.equal(report.reason, 'job_timeout');
    assert.equal(stdout, 'child\n', 'the child ran');
    const ranMs = (report.finishedAt ?? 0) - (report.startedAt ?? 0);
    assert.ok(ranMs >= 1_900 && ranMs < 10_000, `${ranMs} ms`);
    const helper = Number(readFileSync(join(host.root, 'jobs', jobId, 'pid'), 'utf8'));
    assert.equal(systemProcesses.isGroupAlive(helper), false);
  });

  it('a cancel ends the script and its outcome is the reason', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(host.order('echo $$; sleep 600\n'));
    await eventually(() => assert.notEqual(gateway.output(jobId, 'stdout').length, 0));

    gateway.send({ type: 'cancel', jobId, reason: 'resolved' });
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'cancelled');
    assert.equal(report.reason, 'resolved');
    const helper = Number(readFileSync(join(host.root, 'jobs', jobId, 'pid'), 'utf8'));
    assert.equal(systemProcesses.isGroupAlive(helper), false);
  });

  it('a cancel right behind its dispatch lets nothing run', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(host.order(`echo ran >>"${host.evidence}"; sleep 600\n`));

    gateway.send({ type: 'cancel', jobId, reason: 'operator' });
    const report = await gateway.result(jobId);

    assert.equal(report.state, 'cancelled');
    assert.ok(host.starts() <= 1);
  });

  it('a script that writes without end is killed, and its files stay within the limit', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const order = host.order('yes\n', { limits: { timeoutMs: 30_000, outputBytes: 100_000 } });
    const { report, jobId } = await run(order);

    assert.equal(report.state, 'failed');
    assert.equal(report.reason, 'output_overflow');
    assert.equal(report.stdoutBytes, 100_000);
    assert.equal(report.outputCut, true);
    assert.equal((await wholeOf(jobId)).toString(), 'y\n'.repeat(50_000));
    assert.equal(statSync(join(host.root, 'jobs', jobId, 'stdout')).size, 100_000);
  });

  it('a script that ends after writing too much has failed too', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const order = host.order('head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2\n', {
      limits: { timeoutMs: 30_000, outputBytes: 6_000 },
    });
    const { report } = await run(order);

    assert.equal(report.reason, 'output_overflow');
    assert.equal(report.stdoutBytes + report.stderrBytes, 6_000);
  });

  it('a script killed by a signal says so', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const { report } = await run(host.order('kill -9 $$\n'));

    assert.equal(report.state, 'failed');
    assert.equal(report.reason, 'signal');
    assert.equal(report.signal, 'SIGKILL');
  });

  it('a script whose helper is killed is ended and told as failed', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const jobId = gateway.dispatch(host.order('echo on; sleep 600\n'));
    await eventually(() => assert.notEqual(gateway.output(jobId, 'stdout').length, 0));
    const helper = Number(readFileSync(join(host.root, 'jobs', jobId, 'pid'), 'utf8'));

    process.kill(helper, 'SIGKILL');
    const report = await gateway.result(jobId);

    assert.equal(report.reason, 'signal');
    assert.equal(report.signal, 'SIGKILL');
    assert.equal(systemProcesses.isGroupAlive(helper), false);
  });

  it('a job is refused when its intent cannot be written down', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    // In place of the day's file stands something that takes no records.
    mkdirSync(join(host.root, 'journal', `${today}.log`));

    const { report } = await run(host.order(`echo ran >>"${host.evidence}"\n`));

    assert.equal(report.state, 'refused');
    assert.equal(report.reason, 'disk_full');
    assert.equal(host.starts(), 0);
  });

  it('a service that a script leaves behind neither delays the result nor dies of it', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const content = '(while [ -e "$DIR" ]; do echo tick; sleep 0.05; done; echo over >>"$LOG") &\n';

    const { report, jobId } = await run(
      host.order(content, { env: { DIR: join(host.root, 'alive'), LOG: host.evidence } }),
    );
    assert.equal(report.state, 'succeeded');
    await eventually(() => assert.equal(host.starts(), 1));

    host.write('alive', '');
    const second = await run(
      host.order(content, { env: { DIR: join(host.root, 'alive'), LOG: host.evidence } }),
    );
    const folder = join(host.root, 'jobs', second.jobId);
    const sizeThen = second.report.stdoutBytes;
    await eventually(() => assert.ok(statSync(join(folder, 'stdout')).size > sizeThen + 10));
    assert.equal(gateway.output(second.jobId, 'stdout').length, sizeThen);
    rmSync(join(host.root, 'alive'));
    await eventually(() => assert.equal(host.starts(), 2));
    assert.notEqual(jobId, second.jobId);
  });

  it('alert values reach the script as data', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const evil = `$(touch pwned)\n\`touch pwned\`'; touch pwned; "🛠️ \\ %s`;
    const content = 'printf "%s|%s|" "$1" "$VALUE"; cat\n';

    const { jobId, stdout } = await run(
      host.order(content, {
        args: [evil],
        env: { VALUE: evil },
        stdin: { kind: 'text', text: evil },
      }),
    );

    assert.equal(stdout, `${evil}|${evil}|${evil}`);
    assert.deepEqual(readdirSync(join(host.root, 'jobs', jobId, 'work')), []);
  });

  it('a script sees its own environment and nothing of the agent’s', async () => {
    await host.start(gateway.url, { jobEnvironment: { FROM_HOST: 'yes', TAKEN: 'host' } });
    await gateway.connected();

    const order = host.order('env | cut -d= -f1 | sort | tr "\\n" " "; echo "$TAKEN"\n', {
      env: { TAKEN: 'job' },
    });
    const { stdout } = await run(order);

    assert.equal(
      stdout,
      'FIXPOINT_AGENT_ID FIXPOINT_ATTEMPT FIXPOINT_JOB_ID FROM_HOST HOME LANG PATH PWD TAKEN job\n',
    );
  });

  it('a program or folder that is not there is a failed start with a note', async () => {
    await host.start(gateway.url);
    await gateway.connected();

    const noProgram = await run(
      host.order('true\n', { interpreter: 'python3', env: { PATH: '/nowhere' } }),
    );
    const noFolder = await run(host.order('true\n', { cwd: '/nowhere/at/all' }));

    assert.equal(noProgram.report.reason, 'spawn_failed');
    assert.match(noProgram.report.note ?? '', /python3/);
    assert.equal(noFolder.report.reason, 'spawn_failed');
  });

  it('a secret is masked wherever the output is cut, and stands in no journal', async () => {
    const canary = 'CANARY-5f0c9e-secret-value';
    await host.start(gateway.url);
    await gateway.connected();
    host.write('secrets/token', `${canary}\n`);
    const content =
      'printf "<%s>" "$TOKEN"; printf "%s" "$TOKEN" | head -c 9; sleep 0.3; printf "%s" "$TOKEN" | tail -c +10; cat; printf CANARY-5f0c9e-sec\n';

    const { stdout, jobId, report } = await run(
      host.order(content, {
        secretEnv: { TOKEN: 'token' },
        stdin: { kind: 'secret', secret: 'token' },
      }),
    );

    const stars = '*'.repeat(canary.length);
    assert.equal(stdout, `<${stars}>${stars}${stars}\n${'*'.repeat(17)}`);
    assert.equal(report.state, 'succeeded');
    for (const folder of ['journal', join('jobs', jobId)]) {
      for (const name of readdirSync(join(host.root, folder), { recursive: true })) {
        const path = join(host.root, folder, String(name));
        if (!existsSync(path) || !statSync(path).isFile()) continue;
        assert.equal(readFileSync(path).includes('5f0c9e-secret'), false, path);
      }
    }
  });
});

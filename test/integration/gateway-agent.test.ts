import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

describe('the gateway with a real agent', () => {
  let host: GatewayHost;
  let machine: AgentHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    machine = await AgentHost.create(host.authority);
    const { agentId, journalId } = machine;
    const labels = { name: 'real', hostname: 'real' };
    const notAfter = systemClock.now() + 86_400_000;
    await host.register({ agentId, name: 'real', labels, journalId, serial: '01', notAfter });
    machine.spawn(`wss://127.0.0.1:${host.agentPort}`);
    await isOnline();
  });
  after(async () => {
    await machine.remove();
    await host.stop();
  });

  const isOnline = () =>
    eventually(async () => {
      const { body } = await host.call({ path: '/v1/agents/real' });
      assert.equal((body as { state: string }).state, 'online');
    });
  const submit = async (key: string, content: string) => {
    const { agentId, journalId } = machine;
    const task = host.task({ slot: key, targets: [{ agentId, journalId }] });
    const answer = await host.submitSigned(key, { ...task, action: { ...task.action, content } });
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    return (answer.body as { taskId: string }).taskId;
  };
  const outputOf = async (taskId: string) =>
    ((await host.call({ path: `/v1/tasks/${taskId}/jobs/real/output` })).body as { text: string })
      .text;

  it('one key and body posted 1,000 times at once is one task, and one start on the host', async () => {
    const { agentId, journalId } = machine;
    const task = host.task({ slot: 'key-real-parallel', targets: [{ agentId, journalId }] });
    const content = `echo started >> ${machine.evidence}; sleep 1`;
    const body = { ...task, action: { ...task.action, content } };

    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => host.submitSigned('key-real-parallel', body)),
    );
    const ids = answers.map((answer) => (answer.body as { taskId: string }).taskId);
    await host.letters(ids[0] ?? '', 's');
    const late = await host.submitSigned('key-real-parallel', body);
    const other = await host.submitSigned('key-real-parallel', { ...body, attempt: 2 });

    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.equal(answers.filter(({ status }) => status === 200).length, 999);
    assert.equal(new Set(ids).size, 1);
    assert.equal(late.status, 200);
    assert.equal(other.status, 409);
    assert.equal(machine.starts(), 1);
    rmSync(machine.evidence);
  });

  it('exit 7 is failed, 7, with its output', async () => {
    const taskId = await submit('key-real-exit', 'echo 修复 😀; exit 7');

    const report = await host.letters(taskId, 'f');

    assert.equal(report.failures[0]?.exitCode, 7);
    assert.equal(await outputOf(taskId), '修复 😀\n');
  });

  it('a script that ends with 10 is told to have found nothing, one that breaks is not', async () => {
    const [taskId, broken, flawed] = [
      await submit('key-real-probe', 'exit 10'),
      await submit('key-real-probe-broken', 'set -e; false'),
      await submit('key-real-probe-flawed', 'if; exit 10'),
    ];

    assert.deepEqual((await host.letters(taskId, 'f')).notThere, [0]);
    assert.equal((await host.letters(broken, 'f')).notThere, undefined);
    assert.equal((await host.letters(flawed, 'f')).notThere, undefined);
  });

  it('3 MB of output come byte for byte', async () => {
    const line = '漢字😀é';
    const script = `awk 'BEGIN { for (i = 0; i < 220000; i++) print "${line}" }'`;
    const taskId = await submit('key-real-large', script);

    await host.letters(taskId, 's');

    const texts: string[] = [];
    for (let offset = 0, done = false; !done; ) {
      const { body } = await host.call({
        path: `/v1/tasks/${taskId}/jobs/real/output?offset=${offset}&limit=700001`,
      });
      const piece = body as { text: string; next: number; finished: boolean };
      texts.push(piece.text);
      offset = piece.next;
      done = piece.finished;
    }
    assert.equal(texts.join(''), `${line}\n`.repeat(220_000));
  });

  it('a cancel ends the script on the host', async () => {
    const taskId = await submit('key-real-cancel', 'echo here; sleep 600');
    await eventually(async () => assert.equal(await outputOf(taskId), 'here\n'));

    await host.call({ path: `/v1/tasks/${taskId}/cancel`, body: { reason: 'operator' } });

    const report = await host.letters(taskId, 'c');
    assert.equal(report.failures[0]?.reason, 'operator');
  });

  it('a gateway restarted while the script runs hears its end, and the script started once', async () => {
    const script = `echo started >> ${machine.evidence}; while [ ! -f ${machine.evidence}.go ]; do sleep 0.1; done; echo done`;
    const taskId = await submit('key-real-restart', script);
    await eventually(() => assert.equal(machine.starts(), 1));

    await host.stopGateway();
    await host.startGateway();
    await isOnline();
    await submit('key-real-go', `touch ${machine.evidence}.go`);

    await host.letters(taskId, 's');
    assert.equal(await outputOf(taskId), 'done\n');
    assert.equal(machine.starts(), 1);
    await submit('key-real-tidy', `rm -f ${machine.evidence}.go`);
  });
});

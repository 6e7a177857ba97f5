import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { signedTask } from '../../activities/task-signer.ts';
import type { TaskSubmit } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { CallbackReceiver } from '../support/callback-receiver.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { aTrust, testSigner } from '../support/signing.ts';

type Dispatch = Awaited<ReturnType<typeof givenTo>>;
const givenTo = (agent: FakeAgent, count = 1) => agent.heard('dispatch', count);

describe('a task that Redis has lost and only its agents know', () => {
  let host: GatewayHost;
  let receiver: CallbackReceiver;
  before(async () => {
    host = await GatewayHost.start({
      ...{ agents: 2, clocks: { batchGraceMs: 1_000, gatewayLookMs: 500 } },
    });
    await host.trust(await aTrust());
    const agent = await host.connect(1);
    await agent.heard('trust');
    await agent.cut();
    receiver = await CallbackReceiver.start(204);
  });
  after(async () => {
    await host.stop();
    await receiver.stop();
  });

  const loseAll = async () => {
    await host.redis.flushall();
    await host.allow();
    await host.isReady();
  };
  const submit = async (key: string, task: TaskSubmit): Promise<string> => {
    const { status, body } = await host.submitSigned(key, task);
    assert.equal(status, 201, JSON.stringify(body));
    return (body as { taskId: string }).taskId;
  };
  const answer = (agent: FakeAgent, { jobId, job, signature }: Dispatch) =>
    agent.say({ type: 'job-text', jobId, job, signature });
  /** Says how a job ended, is asked for its text, gives it and says it again, as an agent does. */
  const tell = async (agent: FakeAgent, dispatch: Dispatch, asked = 1) => {
    agent.result(dispatch.jobId);
    assert.equal((await agent.heard('resync', asked)).jobId, dispatch.jobId);
    answer(agent, dispatch);
    agent.result(dispatch.jobId);
    await agent.kept(asked);
  };

  it('is made again from their reports, job by job, and its end is called back', async () => {
    const agents = await Promise.all([host.connect(1), host.connect(2)]);
    const callback = { url: receiver.url, reference: 'remediation:x' };
    const taskId = await submit('key-reports', host.task({ callback }));
    const dispatches = await Promise.all(agents.map((agent) => givenTo(agent)));
    await loseAll();
    assert.equal((await host.call({ path: `/v1/tasks/${taskId}` })).status, 404);

    const [first, second] = agents;
    const [one, two] = dispatches;
    if (!first || !second || !one || !two) throw new Error('two agents were given a job');
    await tell(second, two);
    const half = await host.report(taskId);
    assert.equal(half.partial, true);
    await tell(first, one);

    assert.deepEqual([half.letters, half.state, half.key], ['.s', 'open', 'key-reports']);
    assert.equal((await host.letters(taskId, 'ss')).state, 'finished');
    const { rawBody } = await receiver.got(1);
    assert.match(rawBody.toString(), /"reference":"remediation:x".*"letters":"ss"/);
    await Promise.all(agents.map((agent) => agent.cut()));
  });

  it('becomes whole when it is submitted again: what was told stays, the others are asked', async () => {
    const [first, second] = await Promise.all([host.connect(1), host.connect(2)]);
    const task = await signedTask(testSigner, { key: 'key-whole', task: host.task() });
    const taskId = await submit('key-whole', task);
    const one = await givenTo(first);
    await loseAll();
    await tell(first, one);
    assert.equal((await host.report(taskId)).letters, 's.');

    assert.equal((await host.submit('key-whole', task)).status, 201);
    const again = await givenTo(second, 2);
    second.result(again.jobId);

    await host.letters(taskId, 'ss');
    assert.equal(first.all('dispatch').length, 1);
    assert.equal((await host.submit('key-whole', { ...task, attempt: 2 })).status, 409);
    await Promise.all([first.cut(), second.cut()]);
  });

  it('submitted again while it may still start: a host that is away is unknown, never unreachable', async () => {
    const agent = await host.connect(1);
    const notAfter = systemClock.now() + 1_500;
    const limits = { timeoutMs: 100, outputBytes: 0 };
    const task = host.task({ notAfter, limits, deadline: notAfter + 500 });
    const taskId = await submit('key-away', task);
    await givenTo(agent);
    await agent.cut();
    await loseAll();

    assert.equal((await host.submitAgain('key-away', task)).status, 201);

    const { failures } = await host.letters(taskId, 'uu');
    assert.deepEqual(
      failures.map(({ state, reason }) => [state, reason]),
      [
        ['unknown', 'deadline'],
        ['unknown', 'deadline'],
      ],
    );
  });

  it('submitted again and cancelled: the wish waits for the host, whose script may run', async () => {
    const agent = await host.connect(1);
    const [target] = host.task().targets;
    const task = host.task({ targets: target ? [target] : [] });
    const taskId = await submit('key-wish', task);
    await givenTo(agent);
    await agent.cut();
    await loseAll();
    await host.submitAgain('key-wish', task);

    await host.call({ path: `/v1/tasks/${taskId}/cancel`, body: { reason: 'operator' } });

    assert.equal((await host.report(taskId)).letters, '.');
    const back = await host.connect(1);
    const { jobId } = await givenTo(back);
    await back.heard('cancel');
    back.result(jobId, { state: 'cancelled', reason: 'operator', exitCode: null });
    await host.letters(taskId, 'c');
    await back.cut();
  });

  it('ends at its deadline, and what nobody has told of is unknown', async () => {
    const agent = await host.connect(1);
    const notAfter = systemClock.now() + 500;
    const limits = { timeoutMs: 100, outputBytes: 0 };
    const away = await host.connect(2);
    const taskId = await submit('key-deadline', host.task({ notAfter, limits }));
    const [dispatch, ofLate] = await Promise.all([givenTo(agent), givenTo(away)]);
    await away.cut();
    await loseAll();

    await tell(agent, dispatch);

    const { state, failures } = await host.letters(taskId, 'su');
    assert.deepEqual([state, failures], ['finished', []]);
    const rows = (await host.call({ path: `/v1/tasks/${taskId}/jobs` })).body;
    assert.equal((rows as { items: unknown[] }).items.length, 1);
    await agent.cut();

    // One that tells of it now is too late, and is not asked for it again and again.
    const late = await host.connect(2);
    late.result(ofLate.jobId);
    await late.kept();
    assert.equal(late.all('resync').length, 0);
    assert.equal((await host.report(taskId)).letters, 'su');
    await late.cut();
  });

  it('cancelled while a host is away and another has not told of it yet: both hear of it', async () => {
    const [away, silent] = await Promise.all([host.connect(1), host.connect(2)]);
    const taskId = await submit('key-late-cancel', host.task());
    const [ofAway, ofSilent] = await Promise.all([givenTo(away), givenTo(silent)]);
    await silent.cut();
    await loseAll();
    // Then nothing is left of the body that it read before.
    await host.looked();
    away.ack(ofAway.jobId, 'running');
    await away.heard('resync');
    answer(away, ofAway);
    await eventually(async () =>
      assert.equal((await host.call({ path: `/v1/tasks/${taskId}` })).status, 200),
    );
    await away.cut();

    await host.call({ path: `/v1/tasks/${taskId}/cancel`, body: { reason: 'operator' } });
    const [back, late] = await Promise.all([host.connect(1), host.connect(2)]);
    late.ack(ofSilent.jobId, 'running');
    await late.heard('resync');
    answer(late, ofSilent);

    assert.equal((await back.heard('cancel')).jobId, ofAway.jobId);
    assert.equal((await late.heard('cancel')).jobId, ofSilent.jobId);
    await Promise.all([back.cut(), late.cut()]);
  });

  it('is not made from a text that no trusted key has signed, or that nobody asked for', async () => {
    const agent = await host.connect(1);
    const taskId = await submit('key-forged', host.task());
    const dispatch = await givenTo(agent);
    await loseAll();

    answer(agent, dispatch);
    agent.result(dispatch.jobId);
    await agent.heard('resync');
    answer(agent, { ...dispatch, job: dispatch.job.replace('"attempt":1', '"attempt":2') });
    await agent.kept();

    assert.equal((await host.call({ path: `/v1/tasks/${taskId}` })).status, 404);
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    assert.match(metrics, /fixpoint_job_texts_refused_total\{reason="bad_signature"\} 1/);
    await agent.cut();
  });

  it('is not asked of an agent of the version before, which is told to forget it as ever', async () => {
    const agent = await host.connect(1);
    await submit('key-older', host.task());
    const { jobId } = await givenTo(agent);
    await agent.cut();
    const older = await host.connectAs(1, 1);
    await loseAll();

    older.result(jobId);

    assert.equal(await older.kept(), jobId);
    assert.equal(older.all('resync').length, 0);
    await older.cut();
  });

  it('is told of by a real agent whose job ran on through the loss, started once', async (t) => {
    const local = await AgentHost.create(host.authority);
    t.after(() => local.remove());
    const { agentId, journalId } = local;
    await host.admit(local, 'local');
    const task = host.task({ targets: [{ agentId, journalId }] });
    const content = `echo started >> ${local.evidence}; echo said; sleep 1; echo more\n`;
    const taskId = await submit('key-real', { ...task, action: { ...task.action, content } });
    await eventually(() => assert.equal(local.starts(), 1));

    await loseAll();

    await host.letters(taskId, 's');
    const path = `/v1/tasks/${taskId}/jobs/${agentId}/output`;
    const output = (await host.call({ path })).body as { text: string };
    assert.equal(output.text, 'said\nmore\n');
    assert.equal(local.starts(), 1);
  });
});

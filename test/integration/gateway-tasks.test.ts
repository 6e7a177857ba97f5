import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type TaskReport, taskReport } from '../../contracts/task.ts';
import { jobIdOf, taskIdOf } from '../../domain/ids.ts';
import { sha256 } from '../../platform/digest.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const reportIn = (body: unknown): TaskReport => taskReport.parse(body);

describe('tasks at the gateway', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
  });
  after(() => host.stop());

  const submitted = async (key: string, task: unknown): Promise<TaskReport> => {
    const { status, body } = await host.submit(key, task);
    assert.equal(status, 201, JSON.stringify(body));
    return reportIn(body);
  };
  /** A task for one host alone. */
  const taskFor = (number: number, of: Parameters<GatewayHost['task']>[0] = {}) => {
    const { agentId, journalId } = host.agent(number);
    return host.task({ targets: [{ agentId, journalId }], ...of });
  };

  it('one key and body posted 1,000 times at once is one task and one dispatch', async () => {
    const agent = await host.connect(1);
    const task = taskFor(1);

    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => host.submit('key-parallel', task)),
    );

    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 201).length, 1);
    assert.equal(statuses.filter((status) => status === 200).length, 999);
    const taskId = taskIdOf('key-parallel', sha256);
    const jobId = jobIdOf(taskId, host.agent(1).agentId);
    const dispatch = await agent.heard('dispatch');
    assert.equal(dispatch.jobId, jobId);
    agent.ack(jobId, 'acked');
    agent.result(jobId);
    await agent.kept();
    await agent.ping();
    assert.equal(agent.all('dispatch').length, 1);
    assert.equal((await host.letters(taskId, 's')).state, 'finished');
    await agent.cut();
  });

  it('one key with another body is a conflict, also after the task finished', async () => {
    const stranger = { agentId: '000000000000', journalId: '0'.repeat(26) };
    const task = host.task({ targets: [stranger] });

    assert.equal((await host.submit('key-conflict', task)).status, 201);
    const other = await host.submit('key-conflict', { ...task, attempt: 2 });
    const same = await host.submit('key-conflict', task);

    assert.equal(other.status, 409);
    assert.equal((other.body as { code: string }).code, 'conflict');
    assert.equal(same.status, 200);
  });

  it('a host that is not enrolled is over at once, and a task of such hosts is finished', async () => {
    const stranger = { agentId: '000000000000', journalId: '0'.repeat(26) };

    const report = await submitted('key-strangers', host.task({ targets: [stranger] }));

    assert.equal(report.state, 'finished');
    assert.equal(report.letters, 'n');
    assert.deepEqual(report.failures[0]?.reason, 'not_enrolled');
  });

  it('flaws of a task are named by their field', async () => {
    const twice = [...host.task().targets, ...host.task().targets];
    const far = { url: 'http://elsewhere.example/cb', reference: 'r' };
    const large = taskFor(1, {
      targets: [{ ...host.agent(1), args: Array.from({ length: 64 }, () => '"'.repeat(32_000)) }],
    });
    const flawsOf = async (key: string, task: unknown): Promise<string[]> => {
      const { status, body } = await host.submit(key, task);
      assert.equal(status, 400);
      return (body as { flaws: { field: string }[] }).flaws.map(({ field }) => field);
    };

    assert.deepEqual(await flawsOf('key-flaw-1', host.task({ targets: twice })), [
      'targets.2.agentId',
      'targets.3.agentId',
    ]);
    assert.deepEqual(await flawsOf('key-flaw-2', host.task({ callback: far })), ['callback.url']);
    assert.deepEqual(await flawsOf('key-flaw-3', host.task({ deadline: 1 })), ['deadline']);
    assert.deepEqual(await flawsOf('key-flaw-4', { ...host.task(), targets: [] }), ['targets']);
    assert.deepEqual(await flawsOf('key-flaw-5', large), ['targets.0']);
    assert.deepEqual(await flawsOf('short', host.task()), ['Idempotency-Key']);
  });

  it('without a token nothing is told; an unknown task or route is not found', async () => {
    const bare = await fetch(`${host.url}/v1/tasks`);
    const wrong = await host.call({ path: '/v1/tasks', headers: { authorization: 'Bearer x' } });
    const unknown = await host.call({ path: `/v1/tasks/t${'a'.repeat(25)}` });
    const route = await host.call({ path: '/v1/nothing' });

    assert.deepEqual([bare.status, wrong.status], [401, 401]);
    assert.deepEqual([unknown.status, route.status], [404, 404]);
  });

  it('a path written in another way opens nothing without a token', async () => {
    const spellings = ['/%76%31/tasks', '/v%31/agents', '/%761/tasks/x/cancel', '/v1/%61gents'];

    const answers = await Promise.all(spellings.map((path) => fetch(`${host.url}${path}`)));

    const statuses = answers.map(({ status }) => status);
    assert.ok(
      statuses.every((status) => status === 401 || status === 404),
      String(statuses),
    );
  });

  it('a link that breaks gets the same bytes again, and the task goes on', async () => {
    const first = await host.connect(1);
    const report = await submitted('key-redelivery', taskFor(1));
    const dispatch = await first.heard('dispatch');
    first.ack(dispatch.jobId, 'running');
    first.output({
      jobId: dispatch.jobId,
      stream: 'stdout',
      offset: 0,
      data: Buffer.from('half '),
    });
    await eventually(async () => {
      const { body } = await host.call({ path: `/v1/tasks/${report.taskId}/jobs?state=running` });
      assert.equal((body as { items: unknown[] }).items.length, 1);
    });
    await first.ping();
    await first.cut();

    const second = await host.connect(1);
    const again = await second.heard('dispatch');

    assert.equal(again.job, dispatch.job);
    assert.equal(again.content, dispatch.content);
    assert.deepEqual(again.have, { stdout: 5, stderr: 0 });
    second.result(again.jobId, { state: 'failed', reason: 'exit_code', exitCode: 7 });
    await second.kept();
    const ended = await host.letters(report.taskId, 'f');
    assert.equal(ended.failures[0]?.exitCode, 7);
    await second.cut();
  });

  it('a final state stays: later acks and results change nothing and are answered stored', async () => {
    const agent = await host.connect(1);
    const report = await submitted('key-forward', taskFor(1));
    const { jobId } = await agent.heard('dispatch');

    agent.result(jobId);
    await agent.kept();
    agent.ack(jobId, 'running');
    agent.result(jobId, { state: 'failed', reason: 'exit_code', exitCode: 1 });
    await agent.kept(2);

    assert.equal((await host.report(report.taskId)).letters, 's');
    await agent.cut();
  });

  it('an agent that speaks of another’s job, or of none, changes nothing', async () => {
    const agent = await host.connect(1);
    const other = await host.connect(2);
    const report = await submitted('key-foreign', taskFor(2));
    const { jobId } = await other.heard('dispatch');
    const gone = jobIdOf(`t${'b'.repeat(25)}`, host.agent(1).agentId);

    agent.result(jobId);
    agent.output({ jobId, stream: 'stdout', offset: 0, data: Buffer.from('forged') });
    agent.result(jobIdOf(report.taskId, host.agent(1).agentId));
    agent.result(gone);
    // It is asked what that job was, and has nothing to show that a trusted key has signed.
    assert.equal((await agent.heard('resync')).jobId, gone);
    const signature = Buffer.alloc(64).toString('base64');
    agent.say({ type: 'job-text', jobId: gone, job: '{}', signature });
    const stored = await agent.kept();

    assert.equal(stored, gone);
    assert.equal((await host.report(report.taskId)).letters, '.');
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    assert.match(metrics, /fixpoint_agent_frames_refused_total\{reason="wrong_agent"\} 2/);
    assert.match(metrics, /fixpoint_agent_frames_refused_total\{reason="no_such_job"\} 1/);
    other.result(jobId);
    await host.letters(report.taskId, 's');
    await Promise.all([agent.cut(), other.cut()]);
  });

  it('cancel ends what queues at once and asks the agent about what runs, also after a reconnect', async () => {
    const agent = await host.connect(1);
    const report = await submitted('key-cancel', host.task());
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');

    const answer = await host.call({
      path: `/v1/tasks/${report.taskId}/cancel`,
      body: { reason: 'resolved' },
    });

    assert.equal(reportIn(answer.body).letters, '.c');
    assert.equal((await agent.heard('cancel')).reason, 'resolved');
    await agent.cut();
    const again = await host.connect(1);
    assert.equal((await again.heard('cancel')).reason, 'resolved');
    again.result(jobId, { state: 'cancelled', reason: 'resolved' });
    assert.equal((await host.letters(report.taskId, 'cc')).state, 'finished');
    await again.cut();
  });

  it('open tasks are listed with their reference, and finished ones are not', async () => {
    const callback = { url: 'http://127.0.0.1:9/none', reference: 'remediation:x' };
    const report = await submitted('key-open', taskFor(2, { callback }));
    const list = async () =>
      (
        (await host.call({ path: '/v1/tasks?state=open&reference=remediation%3Ax' })).body as {
          items: { taskId: string; key: string; reference: string }[];
        }
      ).items;

    const [open] = await list();
    await host.call({ path: `/v1/tasks/${report.taskId}/cancel`, body: { reason: 'operator' } });

    assert.equal(open?.key, 'key-open');
    assert.equal(open?.reference, 'remediation:x');
    assert.deepEqual(await list(), []);
  });

  it('while stopped, or while nobody knows, nothing is sent and no lease is given', async () => {
    const agent = await host.connect(1);
    assert.deepEqual(leaseOf(await agent.ping()), { lease: true, stopped: false });
    await host.stopAll();
    await eventually(async () =>
      assert.deepEqual(leaseOf(await agent.ping()), { lease: false, stopped: true }),
    );

    const report = await submitted('key-stopped', taskFor(1));
    await host.redis.del('fx:{gov}:control');
    await eventually(async () =>
      assert.deepEqual(leaseOf(await agent.ping()), { lease: false, stopped: false }),
    );

    assert.equal(agent.all('dispatch').length, 0);
    assert.equal((await host.report(report.taskId)).letters, '.');
    await host.allow();
    const { jobId } = await agent.heard('dispatch');
    agent.result(jobId);
    await host.letters(report.taskId, 's');
    await agent.cut();
  });

  it('jobs come in pages, and agents by id or name with their state', async () => {
    const report = await submitted('key-pages', host.task());
    const page = async (query: string) =>
      (await host.call({ path: `/v1/tasks/${report.taskId}/jobs${query}` })).body as {
        items: { agentId: string }[];
        next: string | null;
      };

    const first = await page('?limit=1');
    const second = await page(`?limit=1&cursor=${first.next}`);
    const agents = (await host.call({ path: '/v1/agents?limit=1000' })).body;
    const one = (await host.call({ path: '/v1/agents/agent-2' })).body;
    const asked = await host.call({
      path: '/v1/agents/query',
      body: { ids: ['agent-1', 'nobody'] },
    });

    assert.deepEqual(
      [...first.items, ...second.items].map(({ agentId }) => agentId),
      host.agents.map(({ agentId }) => agentId),
    );
    assert.equal(second.next, null);
    assert.equal((agents as { items: unknown[] }).items.length, 2);
    assert.equal((one as { id: string }).id, host.agent(2).agentId);
    assert.deepEqual((asked.body as { missing: string[] }).missing, ['nobody']);
    await host.call({ path: `/v1/tasks/${report.taskId}/cancel`, body: {} });
  });

  it('a real agent’s view of a job is exactly what was submitted for it', async () => {
    const agent = await host.connect(1);
    const own = {
      ...taskFor(1).targets[0],
      args: ['$(touch pwned)', '号'],
      env: { B: '2', A: '1' },
    };
    const report = await submitted('key-bytes', taskFor(1, { targets: [own as never] }));

    const dispatch = await agent.heard('dispatch');

    const job = FakeAgent.jobOf(dispatch);
    assert.equal(job.taskId, report.taskId);
    assert.deepEqual(job.args, ['$(touch pwned)', '号']);
    assert.deepEqual(Object.keys(job.env), ['A', 'B']);
    agent.result(dispatch.jobId);
    await host.letters(report.taskId, 's');
    await agent.cut();
  });
});

const leaseOf = ({ lease, stopped }: { lease: boolean; stopped: boolean }) => ({ lease, stopped });

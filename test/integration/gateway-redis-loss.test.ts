import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TaskSubmit } from '../../contracts/task.ts';
import { plainReport } from '../../domain/job.ts';
import { systemClock } from '../../platform/clock.ts';
import { keys } from '../../redis/keys.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { failOver, replicaOf } from '../support/failover.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { hang } from '../support/hanging-redis.ts';

describe('a gateway whose Redis lost everything', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ clocks: { gatewayLookMs: 1_000 } });
  });
  after(() => host.stop());

  const loseAll = async () => {
    await host.redis.flushall();
    await host.allow();
    await host.isReady();
  };
  const submit = async (key: string, task: TaskSubmit) => {
    const { status, body } = await host.submit(key, task);
    assert.equal(status, 201, JSON.stringify(body));
    return (body as { taskId: string }).taskId;
  };

  const isRunning = (taskId: string) =>
    eventually(async () => {
      const rows = await host.redis.hvals(keys.task.jobs(taskId));
      assert.match(rows.join(), /"state":"running"/);
    });

  it('asks the agent again on the same link, and does not call expired what runs', async () => {
    const agent = await host.connect(1);
    const task = host.task({ notAfter: systemClock.now() + 2_500 });
    const taskId = await submit('key-given', task);
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');

    await loseAll();
    await submit('key-given', task);
    await agent.heard('dispatch', 2);
    agent.ack(jobId, 'running');
    const queue = `queue:${taskId}`;
    await eventually(async () =>
      assert.equal(await host.redis.zscore('fx:deadlines', queue), null),
    );
    assert.equal((await host.report(taskId)).letters, '.');
    agent.result(jobId);

    assert.equal((await host.letters(taskId, 's')).state, 'finished');
    await agent.cut();
  });

  it('learns from the agent how a job ended that comes again when nothing may start', async () => {
    const agent = await host.connect(1);
    const notAfter = systemClock.now() - 30_000;

    const taskId = await submit('key-too-late', host.task({ notAfter }));
    const { jobId } = await agent.heard('dispatch');
    agent.result(jobId);

    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('calls unknown, not unreachable, what comes again too late and no agent answers', async () => {
    const now = systemClock.now();

    const taskId = await submit(
      'key-too-late-offline',
      host.task({ notAfter: now - 30_000, deadline: now + 1_000 }),
    );

    await host.letters(taskId, 'u');
  });

  it('gives no lease, writes nothing and refuses nothing until the control state is known again', async () => {
    const agent = await host.connect(1);
    await host.redis.flushall();
    await eventually(async () => assert.equal((await agent.ping()).lease, false));

    const taskId = await submit('key-no-control', host.task());
    const { stopped } = await agent.ping();
    await agent.ping();

    assert.equal(stopped, false);
    assert.equal(agent.all('dispatch').length, 0);
    assert.equal((await host.report(taskId)).letters, '.');
    await host.allow();
    const { jobId } = await agent.heard('dispatch');
    agent.result(jobId);
    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('a restart without its file in mid-task: the same key again, and the agent is asked', async () => {
    const agent = await host.connect(1);
    const task = host.task();
    const taskId = await submit('key-no-file', task);
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');

    await host.redisServer.kill();
    await host.redisServer.lose();
    await host.redisServer.restart();
    await host.allow();
    await host.isReady();
    await eventually(async () =>
      assert.equal((await host.submit('key-no-file', task)).status, 201),
    );
    await agent.heard('dispatch', 2);
    agent.result(jobId);

    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('a failover that lost a stored result: the job is sent again on the same link, and told again', async () => {
    const agent = await host.connect(1);
    const taskId = await submit('key-failover-result', host.task());
    const { jobId, job } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');
    await isRunning(taskId);
    const replica = await replicaOf(host.redis);
    agent.result(jobId);
    await agent.kept();

    await failOver(host.redis, replica);

    assert.equal((await agent.heard('dispatch', 2)).job, job);
    agent.result(jobId);
    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('a failover that lost the mark of a job that runs: it is marked again, and not called expired', async () => {
    const agent = await host.connect(1);
    const task = host.task({ notAfter: systemClock.now() + 2_500 });
    const taskId = await submit('key-failover-mark', task);
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');
    await isRunning(taskId);

    const queued = JSON.stringify(plainReport('queued', null));
    await host.redis.hset(keys.task.jobs(taskId), host.agent(1).agentId, queued);
    await failOver(host.redis, await replicaOf(host.redis));

    await agent.heard('dispatch', 2);
    const queue = `queue:${taskId}`;
    await eventually(async () =>
      assert.equal(await host.redis.zscore(keys.deadlines, queue), null),
    );
    assert.equal((await host.report(taskId)).letters, '.');
    agent.result(jobId);
    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('a failover while all is stopped: the job that runs is asked for when it is allowed again', async () => {
    const agent = await host.connect(1);
    const taskId = await submit('key-failover-stop', host.task());
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');
    await isRunning(taskId);
    await host.stopAll();
    await eventually(async () => assert.equal((await agent.ping()).stopped, true));
    const queued = JSON.stringify(plainReport('queued', null));
    await host.redis.hset(keys.task.jobs(taskId), host.agent(1).agentId, queued);

    await failOver(host.redis, await replicaOf(host.redis));
    await host.looked();
    await host.allow();

    await agent.heard('dispatch', 2);
    agent.result(jobId);
    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('a full Redis: a submit is answered 503, a result waits, and all goes on when there is room', async () => {
    const agent = await host.connect(1);
    const taskId = await submit('key-before-full', host.task());
    const { jobId } = await agent.heard('dispatch');

    await host.redis.config('SET', 'maxmemory', '1mb');
    const refused = await host.submit('key-full', host.task());
    agent.result(jobId);
    await agent.ping();
    assert.deepEqual(agent.stored, []);
    await host.redis.config('SET', 'maxmemory', '0');

    assert.equal(refused.status, 503);
    assert.equal(await agent.kept(), jobId);
    await host.letters(taskId, 's');
    assert.equal((await host.submit('key-full', host.task())).status, 201);
    await agent.cut();
  });

  it('a Redis that hangs for 6 s in mid-task: the task ends within seconds of its return', async (t) => {
    const local = await AgentHost.create(host.authority);
    t.after(() => local.remove());
    const { agentId, journalId } = local;
    await host.admit(local, 'local');
    const task = host.task({ targets: [{ agentId, journalId }] });
    const content = `echo started >> ${local.evidence}; sleep 1\n`;
    const signed = { ...task, action: { ...task.action, content } };
    const { body } = await host.submitSigned('key-hang', signed);
    await eventually(() => assert.equal(local.starts(), 1));

    await hang(host, 6_000);

    await host.letters((body as { taskId: string }).taskId, 's');
    assert.equal(local.starts(), 1);
  });

  it('between two batches: the first is answered from the journal, the second runs, each once', async (t) => {
    const local = await AgentHost.create(host.authority);
    t.after(() => local.remove());
    await host.admit(local, 'batches');
    const { agentId, journalId } = local;
    const task = host.task({ targets: [{ agentId, journalId }] });
    const content = `echo started >> ${local.evidence}; exit 3\n`;
    const batch = { ...task, action: { ...task.action, content } };
    const run = async (key: string) => {
      const { body } = await host.submitSigned(key, batch);
      const { failures } = await host.letters((body as { taskId: string }).taskId, 'f');
      return failures[0]?.exitCode;
    };
    const first = await run('key-batch-1');

    await loseAll();
    const again = await run('key-batch-1');
    const second = await run('key-batch-2');

    assert.deepEqual([first, again, second], [3, 3, 3]);
    assert.equal(local.starts(), 2);
  });
});

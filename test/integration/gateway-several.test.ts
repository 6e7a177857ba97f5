import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type AgentView, agentView, type TaskSubmit } from '../../contracts/task.ts';
import { taskIdOf } from '../../domain/ids.ts';
import { plainReport } from '../../domain/job.ts';
import { systemClock } from '../../platform/clock.ts';
import { sha256 } from '../../platform/digest.ts';
import { Jobs } from '../../redis/jobs.ts';
import { keys } from '../../redis/keys.ts';
import { Tasks } from '../../redis/tasks.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { GatewayProcess } from '../support/gateway-process.ts';

const [one, two] = ['gateway-1', 'gateway-2'];

describe('two gateways on one Redis', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 3, clocks: { gatewayLookMs: 500 } });
    await host.startGateway(two);
  });
  after(() => host.stop());

  const viewOf = async (name: string, gatewayId?: string): Promise<AgentView> => {
    const path = `/v1/agents/${name}`;
    return agentView.parse((await host.call({ path, ...(gatewayId && { gatewayId }) })).body);
  };
  const taskFor = (...numbers: number[]): TaskSubmit =>
    host.task({
      targets: numbers.map((number) => {
        const { agentId, journalId } = host.agent(number);
        return { agentId, journalId };
      }),
    });
  const submit = async (key: string, task: TaskSubmit): Promise<string> => {
    const { status, body } = await host.submitSigned(key, task);
    assert.equal(status, 201, JSON.stringify(body));
    return (body as { taskId: string }).taskId;
  };
  /** Keeps a task as a gateway does that dies before it wakes anybody. */
  const keep = async (key: string, task: TaskSubmit): Promise<string> => {
    const taskId = taskIdOf(key, sha256);
    await new Tasks(host.redis).submit({
      ...{ taskId, key, task, digest: key },
      isEnrolled: () => true,
      isAgain: false,
    });
    return taskId;
  };
  const succeed = async (agent: FakeAgent, count = 1) => {
    const { jobId } = await agent.heard('dispatch', count);
    agent.result(jobId);
    await agent.kept(count);
  };

  it('a task is written to the agents of both, whichever took it', async () => {
    const [here, there] = [await host.connect(1, one), await host.connect(2, two)];

    const taskId = await submit('key-both', taskFor(1, 2));
    await Promise.all([succeed(here), succeed(there)]);

    assert.equal((await host.letters(taskId, 'ss')).state, 'finished');
    assert.deepEqual(
      [here, there].map((agent) => agent.all('dispatch').length),
      [1, 1],
    );
    await Promise.all([here.cut(), there.cut()]);
  });

  it('a task nobody was woken for is found at the next look', async () => {
    const agent = await host.connect(1, two);

    const taskId = await keep('key-no-wake', taskFor(1));
    await succeed(agent);

    await host.letters(taskId, 's');
    await agent.cut();
  });

  it('an agent that connects while its job is submitted elsewhere gets it', async () => {
    const keys = Array.from({ length: 20 }, (_, at) => `key-race-${at}`);

    for (const key of keys) {
      const [agent, taskId] = await Promise.all([host.connect(1, two), submit(key, taskFor(1))]);
      await succeed(agent);
      await host.letters(taskId, 's');
      await agent.cut();
    }
  });

  it('a cancel reaches the agents of the other gateway, also when no word of it comes through', async () => {
    const agent = await host.connect(1, two);
    const told = await submit('key-cancel', taskFor(1));
    const first = await agent.heard('dispatch');
    agent.ack(first.jobId, 'running');
    await host.call({ path: `/v1/tasks/${told}/cancel`, body: { reason: 'stop' } });

    assert.deepEqual(await agent.heard('cancel'), {
      ...{ type: 'cancel', jobId: first.jobId, reason: 'stop' },
    });
    const lost = await submit('key-cancel-lost', taskFor(1));
    const { jobId } = await agent.heard('dispatch', 2);
    agent.ack(jobId, 'running');
    await new Tasks(host.redis).cancel({ taskId: lost, reason: 'operator' });

    await eventually(() => assert.ok(agent.all('cancel').some((frame) => frame.jobId === jobId)));
    for (const id of [first.jobId, jobId]) {
      agent.result(id, { state: 'cancelled', reason: 'operator' });
    }
    await Promise.all([host.letters(told, 'c'), host.letters(lost, 'c')]);
    await agent.cut();
  });

  it('the newest session wins across gateways, and the older gateway ends its own', async () => {
    const older = await host.connect(1, one);

    const newer = await host.connect(1, two);

    assert.equal((await older.heard('bye')).reason, 'replaced');
    await older.gone();
    await submit('key-newest', taskFor(1));
    await succeed(newer);
    assert.equal(older.all('dispatch').length, 0);
    await newer.cut();
  });

  it('what an older session refuses does not end the job that the newer one started', async () => {
    const older = await host.connect(1, one);
    const { sessionId } = await older.heard('welcome');
    const newer = await host.connect(1, two);
    const taskId = await submit('key-late-refusal', taskFor(1));
    const { jobId } = await newer.heard('dispatch');
    newer.ack(jobId, 'running');
    await newer.ping();

    const report = plainReport('refused', 'no_lease');
    const words = await new Jobs(host.redis).report({
      taskId,
      reports: [{ agentId: host.agent(1).agentId, report, sessionId }],
    });

    assert.deepEqual(words, ['replaced']);
    assert.equal((await host.report(taskId)).letters, '.');
    newer.result(jobId);
    await host.letters(taskId, 's');
    await newer.cut();
  });

  it('a session that Redis has lost is written again, and its agent is still found', async () => {
    const agent = await host.connect(1, two);
    const { agentId } = host.agent(1);
    agent.say({ type: 'ping', id: 7, sequence: 0, clockOffsetMs: 90_000 });
    const { owners, sequences, heard, clockOffsets } = keys.agent;
    const told = () => host.redis.hget(sequences, agentId);
    await eventually(async () => assert.equal(await told(), '0'));
    const before = await viewOf('agent-1', one);
    assert.deepEqual([before.state, before.gatewayId], ['online', two]);

    await host.redis.del(owners, sequences, heard, clockOffsets, keys.agent.session(agentId));

    await eventually(async () => {
      const { lastSeenAt: _, ...seen } = await viewOf('agent-1', one);
      const { lastSeenAt: __, ...due } = before;
      assert.deepEqual(seen, due);
    });
    await eventually(async () => assert.equal(await told(), '0'));
    await submit('key-owner-lost', taskFor(1));
    await succeed(agent);
    await agent.cut();
  });

  it('agents of both are listed by each, and one that is gone has no session', async () => {
    const [here, there] = [await host.connect(1, one), await host.connect(2, two)];
    const { sessionId } = await there.heard('welcome');

    for (const gatewayId of [one, two]) {
      await eventually(async () => {
        const { state, ...view } = await viewOf('agent-2', gatewayId);
        assert.deepEqual([state, view.gatewayId, view.sessionId], ['online', two, sessionId]);
        assert.equal((await viewOf('agent-1', gatewayId)).gatewayId, one);
      });
    }
    await there.cut();
    await eventually(async () => assert.equal((await viewOf('agent-2', one)).sessionId, null));
    await here.cut();
  });

  it('at notAfter an agent of the other gateway is online and an absent one is not', async () => {
    const agent = await host.connect(1, two);
    await host.stopAll();
    await eventually(async () => assert.equal((await agent.ping()).stopped, true));
    const soon = { ...taskFor(1, 3), notAfter: systemClock.now() + 500 };

    const taskId = await submit('key-not-after', soon);

    await host.letters(taskId, 'ex');
    await host.allow();
    await agent.cut();
  });

  it('one that dies between the mark and the write: the other writes the job, once', async () => {
    const marker = join(mkdtempSync(join(tmpdir(), 'fixpoint-mark-')), 'died');
    const crashPoint = `after-mark@${marker}`;
    const dying = await GatewayProcess.start(host, { gatewayId: 'gateway-3', crashPoint });
    const agent = await FakeAgent.connect(dying.agentPort, host.agent(1));
    await eventually(async () => assert.equal((await viewOf('agent-1')).gatewayId, 'gateway-3'));

    const taskId = await submit('key-after-mark', taskFor(1));
    await dying.gone();
    await agent.gone();
    assert.equal(agent.all('dispatch').length, 0);
    const again = await host.connect(1, two);
    await succeed(again);

    await host.letters(taskId, 's');
    assert.equal(again.all('dispatch').length, 1);
    await again.cut();
    rmSync(dirname(marker), { recursive: true });
  });

  it('while one of them drains, the other one says so of the agents that are still there', async () => {
    await host.startGateway('gateway-3');
    const agent = await host.connect(2, 'gateway-3');
    await eventually(async () => {
      assert.equal((await viewOf('agent-2', one)).gatewayId, 'gateway-3');
    });

    // It hears no good-bye, so that it is there until it is cut off.
    agent.pause(true);
    const stopping = host.stopGateway('gateway-3');

    await eventually(async () => assert.equal((await viewOf('agent-2', one)).state, 'draining'), {
      everyMs: 5,
    });
    await stopping;
    assert.equal((await viewOf('agent-2', one)).state, 'online');
    assert.deepEqual(await host.redis.keys('fx:gateway:gateway-3:*'), []);
    agent.pause(false);
    await agent.gone();
  });

  it('one that stops is not ready, and its agents move to the other with what they run', async (t) => {
    const local = await AgentHost.create(host.authority);
    t.after(() => local.remove());
    await host.register({
      ...{ agentId: local.agentId, name: 'local', labels: {}, journalId: local.journalId },
      ...{ serial: '1', notAfter: systemClock.now() + 60_000 },
    });
    const gateways = [one, two].map((id) => `wss://127.0.0.1:${host.agentPortOf(id)}`);
    await local.start('', { gateways });
    const before = await eventually(async () => {
      const { gatewayId, state } = await viewOf('local', one);
      assert.equal(state, 'online');
      return gatewayId === one ? one : two;
    });
    const other = before === one ? two : one;
    const { agentId, journalId } = local;
    const script = `echo started >> ${local.evidence}; sleep 1\n`;
    const task = host.task({ targets: [{ agentId, journalId }] });
    const taskId = await submit('key-drain', {
      ...task,
      action: { ...task.action, content: script },
    });
    await eventually(() => assert.equal(local.starts(), 1));

    const readiness = host.readiness(before);
    const stopping = host.stopGateway(before);
    assert.equal(await readiness['gateway']?.(), 'is stopping');
    await stopping;

    await eventually(async () => {
      const answer = await host.call({ path: `/v1/tasks/${taskId}`, gatewayId: other });
      assert.equal((answer.body as { letters: string }).letters, 's');
    });
    assert.equal((await viewOf('local', other)).gatewayId, other);
    assert.equal(local.starts(), 1);
  });
});

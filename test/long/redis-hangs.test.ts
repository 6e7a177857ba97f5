import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TaskReport } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { hang } from '../support/hanging-redis.ts';

const hangMs = 30_000;
const endWithinMs = 30_000;

describe('a Redis that hangs for 30 s', () => {
  let host: GatewayHost;
  const agents: AgentHost[] = [];
  before(async () => {
    host = await GatewayHost.start();
    for (const name of ['a', 'b', 'c']) {
      const agent = await AgentHost.create(host.authority);
      agents.push(agent);
      await host.admit(agent, name);
    }
  });
  after(async () => {
    await Promise.all(agents.map((agent) => agent.remove()));
    await host.stop();
  });

  it('while a script runs, and while one ends: the task ends within 30 s of its return', async () => {
    const taskIds: string[] = [];
    for (const [at, seconds] of [1, 20, 45].entries()) {
      const agent = agents[at];
      assert.ok(agent);
      const { agentId, journalId, evidence } = agent;
      const task = host.task({ targets: [{ agentId, journalId }], slot: `hang/${at}` });
      const content = `echo started >> ${evidence}; sleep ${seconds}\n`;
      const action = { ...task.action, content };
      const limits = { timeoutMs: 60_000, outputBytes: 1_000 };
      const { body } = await host.submitSigned(`key-hang-${at}`, { ...task, action, limits });
      taskIds.push((body as TaskReport).taskId);
      await eventually(() => assert.equal(agent.starts(), 1));
    }

    await hang(host, hangMs);
    const from = systemClock.monotonic();
    for (const taskId of taskIds) {
      await eventually(async () => assert.equal((await host.report(taskId)).letters, 's'), {
        withinMs: endWithinMs,
      });
    }

    assert.ok(systemClock.monotonic() - from <= endWithinMs);
    assert.deepEqual(
      agents.map((agent) => agent.starts()),
      [1, 1, 1],
    );
  });
});

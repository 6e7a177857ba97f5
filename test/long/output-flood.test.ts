import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { residentBytes } from '../support/resident-bytes.ts';

const floods = 6;
const mebibyte = 1024 * 1024;

describe('a flood of output for half a minute', () => {
  let host: GatewayHost;
  let machine: AgentHost;
  let agentPid: number;
  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    machine = await AgentHost.create(host.authority);
    const { agentId, journalId } = machine;
    const labels = { name: 'real', hostname: 'real' };
    const notAfter = systemClock.now() + 86_400_000;
    await host.register({ agentId, name: 'real', labels, journalId, serial: '01', notAfter });
    agentPid = machine.spawn(`wss://127.0.0.1:${host.agentPort}`).pid ?? 0;
    await eventually(async () => {
      const { body } = await host.call({ path: '/v1/agents/real' });
      assert.equal((body as { state: string }).state, 'online');
    });
  });
  after(async () => {
    await machine.remove();
    await host.stop();
  });

  /** Floods until the KILL, five seconds after the limit is passed, while somebody reads along. */
  const flood = async (number: number) => {
    const { agentId, journalId } = machine;
    const task = host.task({ slot: `flood-${number}`, targets: [{ agentId, journalId }] });
    const content = 'trap "" TERM; yes';
    const { body } = await host.submitSigned(`key-flood-${number}`, {
      ...task,
      ...{ action: { ...task.action, content }, limits: { ...task.limits, timeoutMs: 60_000 } },
    });
    const { taskId } = body as { taskId: string };
    const path = `/v1/tasks/${taskId}/jobs/real/output?offset=${limits.outputHeadBytes}&limit=1000`;
    await eventually(async () => {
      const piece = (await host.call({ path })).body as { text: string };
      assert.equal(piece.text, 'y\n'.repeat(500));
    });
    const report = await eventually(() => host.letters(taskId, 'f'), { withinMs: 20_000 });
    assert.equal(report.failures[0]?.reason, 'output_overflow');
  };
  const redisBytes = async () =>
    Number(/used_memory:(\d+)/.exec(await host.redis.info('memory'))?.[1] ?? 0);

  it('leaves agent, gateway and Redis as large as one of five seconds did', async () => {
    await flood(0);
    const before = {
      agent: residentBytes(agentPid),
      gateway: residentBytes(process.pid),
      redis: await redisBytes(),
    };

    for (let number = 1; number <= floods; number += 1) await flood(number);

    assert.ok(residentBytes(agentPid) - before.agent < 16 * mebibyte);
    assert.ok(residentBytes(process.pid) - before.gateway < 64 * mebibyte);
    assert.ok((await redisBytes()) - before.redis < mebibyte);
  });
});

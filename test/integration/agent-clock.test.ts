import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { aToken } from '../support/enrolling.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const tenMinutes = 600_000;

/** The machine's clock, set wrong; what it measures is right. */
const setWrong = (byMs: number): Clock => ({ ...systemClock, now: () => systemClock.now() + byMs });

describe('a host whose clock is ten minutes off', () => {
  let host: GatewayHost;
  const machines: AgentHost[] = [];
  before(async () => {
    host = await GatewayHost.start({ agents: 0, clocks: { pingMs: 200 } });
  });
  after(async () => {
    for (const machine of machines) await machine.remove();
    await host.stop();
  });

  const viewOf = async (name: string): Promise<AgentView> =>
    agentView.parse((await host.call({ path: `/v1/agents/${name}` })).body);

  for (const [name, byMs] of [
    ['fast', tenMinutes],
    ['slow', -tenMinutes],
  ] as const) {
    it(`${name}: is enrolled, connects, runs a job in time, and its clock_offset is shown`, async () => {
      const clock = setWrong(byMs);
      const { token } = await aToken(host, { name });
      const machine = await AgentHost.enrolled(token, clock);
      machines.push(machine);
      await machine.start(`wss://127.0.0.1:${host.agentPort}`, { clock });
      await eventually(async () => assert.equal((await viewOf(name)).state, 'online'));

      const { agentId, journalId } = machine;
      const task = host.task({
        ...{ slot: name, targets: [{ agentId, journalId }] },
        notAfter: systemClock.now() + 5_000,
      });
      const { body } = await host.submitSigned(`key-clock-${name}`, task);

      await host.letters((body as { taskId: string }).taskId, 's');
      await eventually(async () => {
        const { clockOffsetMs } = await viewOf(name);
        assert.ok(clockOffsetMs !== null && Math.abs(clockOffsetMs - byMs) < 2_000);
      });
      await eventually(async () =>
        assert.ok(Number(await host.redis.hget('fx:agents:clock-offsets', agentId)) !== 0),
      );
    });
  }

  it('right again after it was set, nothing is shown', async () => {
    let byMs = tenMinutes;
    const clock = { ...systemClock, now: () => systemClock.now() + byMs };
    const machine = await AgentHost.enrolled((await aToken(host, { name: 'set' })).token, clock);
    machines.push(machine);
    await machine.start(`wss://127.0.0.1:${host.agentPort}`, { clock });
    await eventually(async () => assert.notEqual((await viewOf('set')).clockOffsetMs, null));

    byMs = 0;

    await eventually(async () => assert.equal((await viewOf('set')).clockOffsetMs, null));
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FleetHost } from '../support/fleet-host.ts';
import { GatewayProcess } from '../support/gateway-process.ts';

const count = 500;

describe('500 simulated agents on two gateways', () => {
  let fleet: FleetHost;
  let second: GatewayProcess;
  before(async () => {
    fleet = await FleetHost.start({
      agents: count,
      behaviour: { seed: 7, durationMs: 1_500, failureRate: 0, exitCode: 0 },
      async beside(host) {
        second = await GatewayProcess.start(host, { gatewayId: 'gateway-2' });
        return [`wss://127.0.0.1:${second.agentPort}`];
      },
    });
  });
  after(async () => {
    await fleet.stop();
    await second.kill();
  });

  it('the one with half of them killed in mid-task: every host reports, none ran twice', async () => {
    const metrics = await (await fetch(`${fleet.host.url}/metrics`)).text();
    const held = Number(/^fixpoint_agents_connected (\d+)/m.exec(metrics)?.[1]);
    const taskId = await fleet.submit('fleet/killed');
    await eventually(async () => assert.equal((await fleet.fleet.status()).jobs, count));
    assert.match((await fleet.host.report(taskId)).letters, /\./);

    await second.kill();
    const { letters } = await fleet.finished(taskId);

    assert.ok(held > count / 4 && held < (count * 3) / 4, `${held} of ${count} were here`);
    assert.equal(letters, 's'.repeat(count));
    const { jobs, startedTwice } = await fleet.fleet.status();
    assert.deepEqual({ jobs, startedTwice }, { jobs: count, startedTwice: 0 });
  });
});

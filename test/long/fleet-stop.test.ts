import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { defaultClocks } from '../../contracts/limits.ts';
import { eventually } from '../support/eventually.ts';
import { FleetHost } from '../support/fleet-host.ts';

const count = 2_000;

describe('the kill switch with 2,000 hosts queued', () => {
  let fleet: FleetHost;

  before(async () => {
    fleet = await FleetHost.start({
      agents: count,
      behaviour: { seed: 7, durationMs: 50, failureRate: 0, exitCode: 1 },
    });
  });
  after(() => fleet.stop());

  it('no job starts later than a start lease after it was thrown', async () => {
    const [taskId, stoppedAt] = await Promise.all([
      fleet.submit('fleet/stopped'),
      fleet.host.stopAll().then(() => Date.now()),
    ]);

    const withinMs = defaultClocks.startLeaseMs + 10_000;
    await eventually(() => assert.ok(Date.now() - stoppedAt > defaultClocks.startLeaseMs + 3_000), {
      withinMs,
    });
    const { startedAt } = await fleet.fleet.timesOf(taskId);

    assert.ok(startedAt.length < count, 'all had started before the switch was thrown');
    assert.ok(startedAt.every((at) => at - stoppedAt < defaultClocks.startLeaseMs));
    assert.equal((await fleet.fleet.status()).startedTwice, 0);
  });
});

describe('a policy that is stopped with 2,000 hosts queued, a tenth of them cut off', () => {
  const farCount = count / 10;
  let fleet: FleetHost;

  before(async () => {
    fleet = await FleetHost.start({
      ...{ agents: count, far: farCount },
      behaviour: { seed: 8, durationMs: 50, failureRate: 0, exitCode: 1 },
    });
  });
  after(() => fleet.stop());

  const startsOf = async (taskId: string): Promise<readonly number[]> => {
    const [near, far] = await Promise.all([
      fleet.fleet.timesOf(taskId),
      fleet.far?.fleet.timesOf(taskId),
    ]);
    return [...near.startedAt, ...(far?.startedAt ?? [])];
  };

  it('its last job starts within 10 s, also when the links go on and the gateway is restarted; allowed, the others do', async () => {
    const { startLeaseMs } = defaultClocks;
    const key = 'remediation:web:web~0badcafe:12345678-1/restart/1/1';
    const task = fleet.host.task({
      ...{ targets: [...fleet.targets], slot: key },
      ...{ notAfter: Date.now() + 120_000, deadline: Date.now() + 240_000 },
    });
    const [answer, stoppedAt] = await Promise.all([
      fleet.host.submitSigned(key, task),
      fleet.host.stopOnly({ policy: 'web' }).then(() => Date.now()),
      fleet.far?.network.set({ toAgent: { kind: 'hold' }, toGateway: { kind: 'hold' } }),
    ]);
    const { taskId } = answer.body as { taskId: string }; // What the route promises.
    const isAfter = (ms: number) =>
      eventually(() => assert.ok(Date.now() - stoppedAt > ms), { withinMs: ms + 5_000 });

    await isAfter(startLeaseMs);
    fleet.far?.network.heal();
    await isAfter(startLeaseMs + 5_000);
    await fleet.host.stopGateway();
    await fleet.host.startGateway();
    await isAfter(startLeaseMs + 15_000);
    const started = await startsOf(taskId);
    await fleet.host.allow();
    const { letters } = await fleet.finished(taskId);
    // Times that were read are forgotten.
    const all = [...started, ...(await startsOf(taskId))];

    assert.ok(started.length < count, 'all had started before the policy was stopped');
    assert.ok(started.every((at) => at - stoppedAt < startLeaseMs));
    // Whoever had the job in a link that stalled refuses it once that goes on; all others run it.
    assert.match(letters, /^[sr]+$/);
    assert.equal(all.length, letters.split('s').length - 1);
    assert.equal((await fleet.fleet.status()).startedTwice, 0);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FleetHost } from '../support/fleet-host.ts';

const count = 200;
// Agents that share an event loop are all heard again well within it when their gateway is back.
const startLeaseMs = 4_000;

describe('a fleet of simulated agents on a real gateway', () => {
  let fleet: FleetHost;

  before(async () => {
    fleet = await FleetHost.start({
      agents: count,
      behaviour: { seed: 7, durationMs: 50, failureRate: 0.1, exitCode: 3 },
      clocks: { startLeaseMs, pingMs: 500 },
    });
  });
  after(() => fleet.stop());

  it('every host of a task reports once, and nothing starts twice', async () => {
    const taskId = await fleet.submit('fleet/once');

    const { letters } = await fleet.finished(taskId);

    assert.match(letters, /^[sf]{200}$/);
    const failed = [...letters].filter((letter) => letter === 'f').length;
    assert.ok(failed > 5 && failed < 40, `${failed} of 200 failed, at a rate of 0.1`);
    const stored: number[] = [];
    await eventually(async () => {
      stored.push(...(await fleet.fleet.timesOf(taskId)).storedAt);
      assert.equal(stored.length, count);
    });
    const { jobs, startedTwice } = await fleet.fleet.status();
    assert.deepEqual({ jobs, startedTwice }, { jobs: count, startedTwice: 0 });
  });

  it('a gateway that restarts in the middle of a task loses none and starts none again', async () => {
    const before = await fleet.fleet.status();
    const taskId = await fleet.submit('fleet/restart');

    await fleet.host.stopGateway();
    await fleet.host.startGateway();

    const { letters } = await fleet.finished(taskId);
    assert.match(letters, /^[sf]{200}$/);
    const { jobs, startedTwice } = await fleet.fleet.status();
    assert.deepEqual({ jobs, startedTwice }, { jobs: before.jobs + count, startedTwice: 0 });
    await fleet.fleet.connected(count, { withinMs: 20_000 });
  });

  it('the kill switch stops a queue within a start lease, and its end starts the rest once', async () => {
    const before = await fleet.fleet.status();
    const stoppedAt = Date.now();
    const [taskId] = await Promise.all([fleet.submit('fleet/stopped'), fleet.host.stopAll()]);

    // Nothing starts for a whole second once the last lease from before is over.
    const { jobs } = await eventually(async () => {
      const status = await fleet.fleet.status();
      assert.ok(Date.now() - stoppedAt > startLeaseMs + 1_000);
      return status;
    });
    const started = (await fleet.fleet.timesOf(taskId)).startedAt;
    await fleet.host.allow();
    const { letters } = await fleet.finished(taskId);

    assert.equal(started.length, jobs - before.jobs);
    assert.ok(started.every((at) => at - stoppedAt < startLeaseMs));
    // A job that an agent had already and could not start any more is refused; the others run.
    assert.match(letters, /^[sfr]{200}$/);
    assert.equal((await fleet.fleet.status()).startedTwice, 0);
  });
});

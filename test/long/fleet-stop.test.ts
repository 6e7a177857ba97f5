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

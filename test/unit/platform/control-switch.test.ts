import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import type { ControlState, RepublishUpdate } from '../../../contracts/control.ts';
import { limits } from '../../../contracts/limits.ts';
import { untilCached } from '../../../platform/control-switch.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const stateOf = (revision: number): ControlState => ({
  ...{ revision, stopped: true, reason: 'storm', by: 'anna', at: 1 },
});

/** A clock whose sleepers wake at once, later. */
class HurriedClock extends ManualClock {
  override async sleep(ms: number): Promise<void> {
    this.advance(ms);
  }
}

/** A switch at `truth` with these looks at the cache, the last one for ever. */
function aSwitch(of: { readonly truth: number; readonly looks: readonly unknown[] }) {
  const looks = [...of.looks];
  const asked: { readonly args: readonly RepublishUpdate[]; readonly updateId: string }[] = [];
  const clock = new HurriedClock();
  const handle = {
    query: async () => stateOf(of.truth),
    executeUpdate: async (_: string, update: (typeof asked)[number]) => {
      asked.push(update);
      const [{ standing } = { standing: 0 }] = update.args;
      looks.splice(0, looks.length, standing + 1);
      return stateOf(standing + 1);
    },
  };
  const client = { workflow: { getHandle: () => handle } } as unknown as Client; // All it is asked for.
  const read = async () => {
    const revision = looks.length > 1 ? looks.shift() : looks[0];
    if (revision === 'away') throw new Error('Redis is away');
    return revision === null ? null : stateOf(revision as number); // Damage is no number.
  };
  return { asked, clock, left: () => looks.length, deps: { client, control: { read }, clock } };
}

describe('whoever throws the kill switch', () => {
  it('waits until gateways can read just that', async () => {
    const { deps, asked } = aSwitch({ truth: 7, looks: [null, 3, '9', 1e300, 7] });

    await untilCached(deps, stateOf(7));

    assert.deepEqual(asked, []);
  });

  it('has not to wait for a change that another one has overtaken, and hears of that one', async () => {
    const { deps, asked } = aSwitch({ truth: 9, looks: [9] });

    const state = await untilCached(deps, stateOf(7));

    assert.deepEqual([state.revision, asked], [9, []]);
  });

  it('waits for the one that goes past a stranger’s state, if that was asked for by another', async () => {
    const { deps, asked, left } = aSwitch({ truth: 9, looks: [8, 8, 9] });

    const state = await untilCached(deps, stateOf(7));

    assert.deepEqual([state.revision, asked, left()], [9, [], 1]);
  });

  it('looks again at a Redis that was away', async () => {
    const { deps } = aSwitch({ truth: 7, looks: ['away', 'away', 7] });

    assert.equal((await untilCached(deps, stateOf(7))).revision, 7);
  });

  it('goes past what stands in the cache and never was the switch’s', async () => {
    const { deps, asked } = aSwitch({ truth: 7, looks: [40] });

    await untilCached(deps, stateOf(7));

    assert.deepEqual(asked, [{ args: [{ standing: 40 }], updateId: 'republish/7/40' }]);
  });

  it('hears that gateways may not know of it while the cache takes nothing', async () => {
    const { deps, clock } = aSwitch({ truth: 7, looks: [3] });

    await assert.rejects(untilCached(deps, stateOf(7)), { code: 'upstream_unavailable' });

    const waited = clock.monotonic();
    assert.ok(
      waited > limits.controlCachedMs && waited < limits.controlCachedMs + 500,
      `${waited}`,
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitOf } from '../../../cli/outcome.ts';

const exitFor = (state: string, letters = '', reason: string | null = null): number =>
  exitOf({
    state,
    reason,
    targets: [...letters].map((letter) => ({ agentId: 'a', name: null, letter })),
  });

describe('the exit status of a remediation', () => {
  it('is 0 for the ends that need nobody', () => {
    assert.deepEqual(
      ['verified', 'resolved', 'superseded'].map((state) => exitFor(state)),
      [0, 0, 0],
    );
  });

  it('is 1 when every host failed, 3 when some succeeded', () => {
    assert.equal(exitFor('failed', 'ff'), 1);
    assert.equal(exitFor('failed', 'sft'), 3);
    assert.equal(exitFor('failed', 'pfu'), 3);
  });

  it('is 8 when an outcome is unknown and none failed', () => {
    assert.equal(exitFor('failed', 'sux'), 8);
  });

  it('is 4 when hosts were only not reached', () => {
    assert.equal(exitFor('failed', 'sxe'), 4);
  });

  it('is 1 when every host succeeded and the probe did not', () => {
    assert.equal(exitFor('failed', 'ss'), 1);
  });

  it('is 5 when nobody approved it in time, and 0 when it was only to observe', () => {
    assert.equal(exitFor('expired'), 5);
    assert.equal(exitFor('held', 'hh', 'observed: would run restart-web on 2 hosts'), 0);
  });

  it('is 5 for held, 4 where the inventory is incomplete, 1 for cancelled', () => {
    assert.equal(exitFor('held', '', 'no_target: agent-9'), 5);
    assert.equal(exitFor('held', '', 'inventory_incomplete: no mark'), 4);
    assert.equal(exitFor('cancelled', 'sc'), 1);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { anAlert } from '../support/builders.ts';
import { wordOn } from '../support/coming-and-going.ts';
import { eventually } from '../support/eventually.ts';
import { flapsBesideARepair, onHost, slowPolicies } from '../support/flap-story.ts';
import { type LoopOptions, RepairLoop } from '../support/repair-loop.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

const minute = 60_000;

describe('alerts that come and go', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const loopWith = async (guards: string, over: Partial<LoopOptions> = {}) =>
    new RepairLoop({
      client: environment.client,
      policies: await slowPolicies(guards),
      hosts: ['web1', 'web2'],
      ...over,
    });

  it('every two minutes for half a day beside a repair that runs: it stays small, and the group is held', () =>
    flapsBesideARepair(environment, { hours: 12 }));

  it('the same while it waits for an approval: the repair stays as small, and asks once', () =>
    flapsBesideARepair(environment, { hours: 12, isAsking: true }));

  it('a running repair hears of an end at once, and of a return when it has lasted', async () => {
    let isOver = false;
    const loop = await loopWith('confirmFor: 60s', { outcome: () => (isOver ? 's' : null) });
    const onWeb2 = (n: number) => loop.alert('web', 'told', [wordOn(n, onHost('b', 'web2'))]);

    await withWorkers(environment, loop.activities, async () => {
      await loop.alert('web', 'told', [
        anAlert(onHost('a', 'web1')),
        wordOn(0, onHost('b', 'web2')),
      ]);
      await eventually(() => assert.equal(loop.submitted.length, 1));
      await onWeb2(1);
      await eventually(() => assert.equal(loop.told.length, 1));
      await onWeb2(2);
      await environment.sleep(minute - 5_000);
      assert.equal(loop.told.length, 1, 'it did not last yet');
      await environment.sleep(10_000);
      await eventually(() => assert.equal(loop.told.length, 2));
      isOver = true;
      await environment.sleep(5 * 24 * 60 * minute);
      await eventually(() => assert.equal(loop.ended.length, 1));
    });

    const [first, second] = loop.told;
    assert.deepEqual([first?.resolved.length, second?.resolved.length], [1, 0]);
    assert.deepEqual(second?.returned, first?.resolved);
    assert.equal(
      loop.ended[0]?.letters['restart'],
      'ss',
      'web2 had its turn, because it fires again',
    );
  });

  it('a group that flaps with no repair running is told once by a remediation that ends held', async () => {
    const loop = await loopWith('flap: { changes: 5, window: 30m }');

    await withWorkers(environment, loop.activities, async () => {
      for (let n = 0; n <= 60; n += 1) {
        await loop.alert('web', 'told-once', [wordOn(n, onHost('c', 'web1'))]);
        await environment.sleep(2 * minute);
      }
      const before = loop.started.length;
      await environment.sleep(30 * minute);

      const held = loop.ended.filter(({ state }) => state === 'held');
      assert.equal(held.length, 1);
      assert.match(held[0]?.reason ?? '', /^flapping: .*guards\.flap allows/);
      assert.equal(loop.started.length, before + 1, 'stable at last, and it fires: it is repaired');
      await loop.mailbox('web', 'told-once').terminate('seen');
    });
  });
});

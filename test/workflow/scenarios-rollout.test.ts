import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { aRollout, guardedRepair, numbersOf, quickGateway } from '../support/guarded-repair.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

// Scenarios of public incidents, by their names (safety.md 2.1). Each is told twice: with its guard,
// and without, where the harm must happen; else the test would prove nothing.
describe('scenarios of rollouts', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  describe('S05 lost-canary-verdict', () => {
    /** The canary's task never tells how it went; how the repair of ten hosts goes on. */
    async function afterALostVerdict(mode: 'stop' | 'continue') {
      const gateway = quickGateway((key, task) =>
        (key.includes('/restart/1/') ? '.' : 's').repeat(task.targets.length),
      );
      gateway.onPoll = async (key) =>
        key.includes('/restart/1/')
          ? { ...gateway.reportOf(key), state: 'open' }
          : gateway.reportOf(key);
      return guardedRepair(environment, {
        hosts: 10,
        steps: [aRollout('1 9', { mode })],
        gateway,
      });
    }

    it('no positive answer, no next batch: the verdict is unknown and the reason says so', async () => {
      const { result, batches } = await afterALostVerdict('stop');

      assert.deepEqual(batches, [1]);
      assert.equal(result.state, 'failed');
      assert.equal(result.reason, 'step restart: 1 hosts failed, 0 may');
      assert.match(result.letters['restart'] ?? '', /^uh{9}$/);
    });

    it('a rollout that goes on whatever comes touches all the others', async () => {
      const { result, batches } = await afterALostVerdict('continue');

      assert.deepEqual(batches, [1, 9]);
      assert.equal(result.state, 'failed');
    });
  });

  describe('S14 content-is-staged-too', () => {
    /** A script that breaks every host it reaches; which hosts its text was sent to. */
    async function reachedByABadScript(expression: string) {
      const gateway = quickGateway((key, task) =>
        (key.includes('/restart/') ? 'f' : 's').repeat(task.targets.length),
      );
      const { result } = await guardedRepair(environment, {
        hosts: 40,
        steps: [aRollout(expression)],
        gateway,
      });
      const sent = gateway.submitted.filter(({ key }) => key.includes('/restart/'));
      return { result, reached: sent.flatMap(({ task }) => numbersOf(task.targets)) };
    }

    it('a script travels with its batch: a bad one reaches the canary alone', async () => {
      const { result, reached } = await reachedByABadScript('1 10% *2');

      assert.equal(reached.length, 1);
      assert.equal(result.state, 'failed');
      assert.equal(result.reason, 'step restart: 1 hosts failed, 0 may');
    });

    it('one push to everyone breaks everyone', async () => {
      const { reached } = await reachedByABadScript('40');

      assert.equal(reached.length, 40);
    });
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { progressOf, refusalOf } from '../support/asked-repair.ts';
import { eventually } from '../support/eventually.ts';
import { aRollout, guardedRepair, numbersOf, quickGateway } from '../support/guarded-repair.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const act = (handle: WorkflowHandle, name: string): Promise<unknown> =>
  handle.executeUpdate(name, { args: [{ by: 'anna', reason: 'disk was full' }] });
const untilPaused = (handle: WorkflowHandle, failed: number) =>
  eventually(async () => {
    const { state, reason } = await progressOf(handle);
    assert.equal(state, 'paused');
    assert.match(reason ?? '', new RegExp(`^step restart: ${failed} hosts failed`));
  });

describe('trying failed hosts again while a repair is paused', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  /** The keys of the step's batches with the numbers of their hosts. */
  const batchesOf = (gateway: ReturnType<typeof quickGateway>) =>
    gateway.submitted.flatMap(({ key, task }) =>
      key.includes('/restart/')
        ? [`${key.split('/restart/')[1]}: ${numbersOf(task.targets).join(' ')}`]
        : [],
    );

  it('they are a batch of their own; when they succeed it goes on with the sizes that were planned', async () => {
    const gateway = quickGateway((key, task) =>
      key.includes('/restart/2/') ? 'fs' : 's'.repeat(task.targets.length),
    );
    let word: unknown;

    const { result } = await guardedRepair(environment, {
      ...{ hosts: 7, steps: [aRollout('1 2 4', { mode: 'pause' })], gateway },
      during: async (handle) => {
        await untilPaused(handle, 1);
        word = await act(handle, 'retryFailed');
      },
    });

    assert.equal(word, '1 host is tried again');
    assert.equal(result.state, 'verified');
    assert.equal(result.reason, null);
    assert.deepEqual(batchesOf(gateway), ['1/1: 0', '2/1: 1 2', '3/1: 1', '4/1: 3 4 5 6']);
  });

  it('when they fail again it is paused again, and nothing else has started', async () => {
    const gateway = quickGateway((key, task) =>
      /\/restart\/[12]\//.test(key)
        ? 'f'.repeat(task.targets.length)
        : 's'.repeat(task.targets.length),
    );

    const { result } = await guardedRepair(environment, {
      ...{ hosts: 2, steps: [aRollout('1', { mode: 'pause' })], gateway },
      during: async (handle) => {
        await untilPaused(handle, 1);
        await act(handle, 'retryFailed');
        await eventually(() => assert.equal(batchesOf(gateway).length, 2));
        await untilPaused(handle, 1);
        assert.deepEqual(batchesOf(gateway), ['1/1: 0', '2/1: 0']);
        await act(handle, 'retryFailed');
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batchesOf(gateway), ['1/1: 0', '2/1: 0', '3/1: 0', '4/1: 1']);
  });

  it('paused by a person it stays paused after they succeed', async () => {
    const gateway = quickGateway((key, task) =>
      key.includes('/restart/1/') ? 'f' : 's'.repeat(task.targets.length),
    );
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/1/')) return;
      await act(environment.client.workflow.getHandle(key.split('/')[0] ?? ''), 'pause');
    };

    const { result } = await guardedRepair(environment, {
      ...{ hosts: 2, steps: [aRollout('1', { maxFailures: 1 })], gateway },
      during: async (handle) => {
        const isPaused = async () => assert.equal((await progressOf(handle)).state, 'paused');
        await eventually(isPaused);
        await act(handle, 'retryFailed');
        await eventually(() => assert.equal(batchesOf(gateway).length, 2));
        await eventually(isPaused);
        assert.equal(batchesOf(gateway).length, 2);
        await act(handle, 'resume');
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters['restart'], 'ss');
  });

  it('an unknown outcome of a step that runs once is never repeated, and says so', async () => {
    const gateway = quickGateway((key, task) =>
      key.includes('/restart/1/') ? 'u' : 's'.repeat(task.targets.length),
    );
    let refused = '';

    await guardedRepair(environment, {
      ...{ hosts: 2, steps: [{ ...aRollout('1', { mode: 'pause' }), contract: 'once' }], gateway },
      during: async (handle) => {
        await untilPaused(handle, 1);
        refused = await refusalOf(act(handle, 'retryFailed'));
        await act(handle, 'cancel');
      },
    });

    assert.match(refused, /^conflict: no failed host of this step may be tried again/);
    assert.deepEqual(batchesOf(gateway), ['1/1: 0']);
  });

  it('of a repair that is not paused nothing is tried again', async () => {
    const gateway = quickGateway();
    let refused = '';
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/')) return;
      const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
      refused = await refusalOf(act(handle, 'retryFailed'));
    };

    await guardedRepair(environment, { hosts: 1, steps: [aRollout('1')], gateway });

    assert.match(
      refused,
      /^conflict: the remediation is running: failed hosts are tried again while/,
    );
  });
});

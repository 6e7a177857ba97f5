import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { type RemediationProgress, signalNames } from '../../contracts/temporal.ts';
import { aRemediation } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGovernor } from '../support/fake-governor.ts';
import { aRollout, guardedRepair, quickGateway } from '../support/guarded-repair.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const progressOf = (handle: WorkflowHandle) => handle.query<RemediationProgress>('progress');
const act = (handle: WorkflowHandle, action: string, reason = 'to look') =>
  handle.executeUpdate(action, { args: [{ by: 'anna', reason }] });
const untilPaused = (handle: WorkflowHandle) =>
  eventually(async () => {
    const progress = await progressOf(handle);
    assert.equal(progress.state, 'paused');
    return progress;
  });

/** What an update that is refused says. */
async function refusalOf(update: Promise<unknown>): Promise<string> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? '';
    throw error;
  }
  throw new Error('the update was accepted');
}

describe('pausing a rollout', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof guardedRepair>[1]) => guardedRepair(environment, of);
  const failingIn = (batch: number) =>
    quickGateway((key, task) =>
      (key.includes(`/restart/${batch}/`) ? 'f' : 's').repeat(task.targets.length),
    );

  it('mode pause: after too many failures it waits, says why, and goes on when it is resumed', async () => {
    let paused: RemediationProgress | undefined;

    const { result, batches, timers } = await repair({
      hosts: 4,
      steps: [aRollout('1', { mode: 'pause' })],
      gateway: failingIn(2),
      during: async (handle) => {
        paused = await untilPaused(handle);
        await act(handle, 'resume', 'that host is known');
      },
    });

    assert.equal(
      paused?.reason,
      'step restart: 1 hosts failed, 0 may (fixpoint); it waits for resume, confirmBatch or cancel',
    );
    assert.equal(paused.targets.map(({ letter }) => letter).join(''), 'sfhh');
    assert.deepEqual(batches, [1, 1, 1, 1]);
    // More hosts failed than may, whoever said that it goes on.
    assert.equal(result.state, 'failed');
    assert.equal(result.reason, 'step restart: 1 hosts failed, 0 may');
    assert.deepEqual(result.letters, { restart: 'sfss', verify: 'shss' });
    assert.deepEqual(timers, []);
  });

  it('mode pause: failures after a resume are counted anew', async () => {
    const gateway = quickGateway((key, task) =>
      (/\/restart\/[24]\//.test(key) ? 'f' : 's').repeat(task.targets.length),
    );

    const { result } = await repair({
      hosts: 5,
      steps: [aRollout('1', { mode: 'pause' })],
      gateway,
      during: async (handle) => {
        await untilPaused(handle);
        await act(handle, 'resume');
        await eventually(async () => {
          const { state, reason } = await progressOf(handle);
          assert.deepEqual(
            [state, reason?.slice(0, 30)],
            ['paused', 'step restart: 2 hosts failed, '],
          );
        });
        await act(handle, 'cancel', 'enough');
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.equal(result.reason, 'enough');
    assert.deepEqual(result.letters, { restart: 'sfsfh' });
  });

  it('mode pause: too many failures in the last batch pause nothing, and it ends failed', async () => {
    const { result } = await repair({
      hosts: 2,
      steps: [aRollout('1', { mode: 'pause' })],
      gateway: failingIn(2),
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'sf', verify: 'sh' });
  });

  it('a confirmed batch runs alone, and it is paused again', async () => {
    const gateway = failingIn(1);

    const { result } = await repair({
      hosts: 3,
      steps: [aRollout('1', { mode: 'pause' })],
      gateway,
      during: async (handle) => {
        await untilPaused(handle);
        await act(handle, 'confirmBatch', 'one more');
        await eventually(async () => {
          const { state, targets } = await progressOf(handle);
          assert.deepEqual([state, targets[1]?.letter], ['paused', 's']);
        });
        assert.equal(gateway.submitted.length, 2);
        await act(handle, 'cancel');
      },
    });

    assert.deepEqual(result.letters, { restart: 'fsh' });
  });

  it('paused by an operator: the running batch finishes, no other starts, and who and why are told', async () => {
    const gateway = quickGateway();
    let handleOf: WorkflowHandle | undefined;
    gateway.onSubmit = async (key) => {
      if (key.includes('/restart/1/') && handleOf !== undefined) await act(handleOf, 'pause');
    };
    const governor = new FakeGovernor();
    governor.onAsk = async ({ remediationId }) => {
      handleOf = environment.client.workflow.getHandle(remediationId);
    };

    const { result } = await repair({
      ...{ hosts: 2, steps: [aRollout('1')], gateway, governor },
      during: async (handle) => {
        const { reason, decisions } = await untilPaused(handle);
        assert.match(reason ?? '', /^to look \(anna\)/);
        assert.deepEqual(
          decisions?.map(({ action, by, reason: why }) => [action, by, why]),
          [['pause', 'anna', 'to look']],
        );
        assert.equal(gateway.submitted.length, 1);
        await act(handle, 'resume', 'looked');
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters['restart'], 'ss');
  });

  it('all alerts over while it is paused: nothing is left to start, and what was done is proven', async () => {
    const { result } = await repair({
      hosts: 3,
      steps: [aRollout('1', { mode: 'pause', maxFailures: 0 })],
      gateway: failingIn(2),
      during: async (handle) => {
        await untilPaused(handle);
        await handle.signal(signalNames.episodeChanged, {
          resolved: aRemediation().episodes.map(({ id }) => id),
        });
      },
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'sfk', verify: 'shh' });
  });

  it('updates that make no sense are refused with the reason, and leave no trace in history', async () => {
    const refusals: string[] = [];

    const { result, events } = await repair({
      hosts: 2,
      steps: [aRollout('1', { mode: 'pause' })],
      gateway: failingIn(1),
      during: async (handle) => {
        await untilPaused(handle);
        refusals.push(
          await refusalOf(act(handle, 'pause')),
          await refusalOf(act(handle, 'resume', ' ')),
          await refusalOf(handle.executeUpdate('resume')),
        );
        await act(handle, 'resume');
        await handle.result();
        refusals.push(await refusalOf(act(handle, 'pause')).catch(() => 'ended'));
      },
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(refusals, [
      'fixpoint has paused it already: step restart: 1 hosts failed, 0 may',
      'say who asks and why: {"by": "your name", "reason": "why"}',
      'say who asks and why: {"by": "your name", "reason": "why"}',
      'ended',
    ]);
    const accepted = events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes);
    assert.equal(accepted.length, 1);
  });

  it('a batch is confirmed only where one waits, and only what is paused is resumed', async () => {
    const refusals: string[] = [];
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/')) return;
      const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
      refusals.push(
        await refusalOf(act(handle, 'confirmBatch')),
        await refusalOf(act(handle, 'resume')),
      );
    };

    await repair({ hosts: 1, steps: [aRollout('1')], gateway });

    assert.deepEqual(refusals, [
      'the remediation is running: only one that is paused waits for a batch to be confirmed',
      'the remediation is not paused',
    ]);
  });

  it('a pause that was asked for before 100 batches were done holds in the fresh history', async () => {
    const gateway = quickGateway();
    const asked = Promise.withResolvers<void>();
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/100/')) return;
      await act(environment.client.workflow.getHandle(key.split('/')[0] ?? ''), 'pause');
      asked.resolve();
    };

    const { result, batches } = await repair({
      hosts: 103,
      steps: [aRollout('1')],
      gateway,
      during: async (handle) => {
        const first = await handle.describe();
        await asked.promise;
        const latest = environment.client.workflow.getHandle(handle.workflowId);
        // A query that comes while a history ends gets no answer from this server.
        await eventually(async () => assert.notEqual((await latest.describe()).runId, first.runId));
        const { decisions } = await untilPaused(latest);
        assert.deepEqual(
          decisions?.map(({ action }) => action),
          ['pause'],
        );
        await act(latest, 'resume');
      },
    });

    assert.equal(result.state, 'verified');
    assert.equal(batches.length, 103);
  });
});

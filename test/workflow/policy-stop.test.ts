import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { StandingStop } from '../../contracts/stop.ts';
import { type RemediationProgress, signalNames } from '../../contracts/temporal.ts';
import { aRemediation } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGovernor } from '../support/fake-governor.ts';
import { aRollout, guardedRepair, quickGateway } from '../support/guarded-repair.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const stop: StandingStop = {
  scope: { policy: 'restart-web' },
  reason: 'it makes things worse',
  by: 'ada',
  at: 1,
};
const words =
  'policy restart-web is stopped by ada: it makes things worse; it goes on after `fixpoint control allow --policy restart-web --reason …`';

const progressOf = (handle: WorkflowHandle) => handle.query<RemediationProgress>('progress');
const tell = (handle: WorkflowHandle, word: StandingStop | null) =>
  handle.signal(signalNames.stopChanged, { stop: word });
const untilPaused = (handle: WorkflowHandle) =>
  eventually(async () => {
    const progress = await progressOf(handle);
    assert.deepEqual([progress.state, progress.reason], ['paused', words]);
    return progress;
  });

describe('a policy that is stopped while its repair runs', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof guardedRepair>[1]) => guardedRepair(environment, of);
  const repairOf = (key: string) => environment.client.workflow.getHandle(key.split('/')[0] ?? '');
  const allow = async (handle: WorkflowHandle, governor: FakeGovernor) => {
    governor.stops = [];
    await tell(handle, null);
  };

  it('the running batch finishes, no other starts, who and why are shown, and allowed it goes on', async () => {
    const governor = new FakeGovernor();
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (key.includes('/restart/1/')) governor.stops = [stop];
    };

    const { result, batches, timers } = await repair({
      ...{ hosts: 3, steps: [aRollout('1')], gateway, governor },
      during: async (handle) => {
        const paused = await untilPaused(handle);
        assert.equal(paused.targets.map(({ letter }) => letter).join(''), 'shh');
        assert.equal(gateway.submitted.length, 1);
        await allow(handle, governor);
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batches, [1, 1, 1]);
    assert.deepEqual(timers, [], 'it waits without asking again and again');
  });

  it('hosts that the stop kept from starting fail nothing, and have their turn when it is allowed', async () => {
    const governor = new FakeGovernor();
    const gateway = quickGateway((key, task) =>
      key.includes('/restart/1/') ? 'se' : 's'.repeat(task.targets.length),
    );
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/1/')) return;
      governor.stops = [stop];
      await tell(repairOf(key), stop);
    };

    const { result, batches } = await repair({
      ...{ hosts: 3, steps: [aRollout('2')], gateway, governor },
      during: async (handle) => {
        const { targets } = await untilPaused(handle);
        assert.equal(targets.map(({ letter }) => letter).join(''), 'shh');
        await allow(handle, governor);
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters['restart'], 'sss');
    assert.deepEqual(batches, [2, 1, 1]);
  });

  it('a word that it is allowed which is not true starts nothing', async () => {
    const governor = new FakeGovernor();
    governor.stops = [stop];
    const gateway = quickGateway();

    const { result } = await repair({
      ...{ hosts: 1, steps: [aRollout('1')], gateway, governor },
      during: async (handle) => {
        await untilPaused(handle);
        await tell(handle, null);
        await eventually(() => assert.equal(governor.asked.length, 2));
        await untilPaused(handle);
        assert.deepEqual(gateway.submitted, []);
        await allow(handle, governor);
      },
    });

    assert.equal(result.state, 'verified');
  });

  it('no probe starts either, its time does not run out meanwhile, and it is too late to cancel', async () => {
    const governor = new FakeGovernor();
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (key.includes('/restart/1/')) await tell(repairOf(key), stop);
    };

    const { result, timers } = await repair({
      ...{ hosts: 1, steps: [aRollout('1')], gateway, governor },
      during: async (handle) => {
        await untilPaused(handle);
        assert.equal(gateway.submitted.length, 1);
        await assert.rejects(
          handle.executeUpdate('cancel', { args: [{ by: 'ada', reason: 'no' }] }),
          WorkflowUpdateFailedError,
        );
        await environment.sleep('2 days');
        await tell(handle, null);
      },
    });

    assert.equal(result.state, 'verified');
    assert.equal(gateway.submitted.length, 2);
    assert.deepEqual(timers, []);
  });

  it('cancelled while it waits it ends, and nothing was started', async () => {
    const governor = new FakeGovernor();
    governor.stops = [stop];
    const gateway = quickGateway();

    const { result } = await repair({
      ...{ hosts: 2, steps: [aRollout('1')], gateway, governor },
      during: async (handle) => {
        await untilPaused(handle);
        await handle.executeUpdate('cancel', { args: [{ by: 'ada', reason: 'enough' }] });
      },
    });

    assert.deepEqual([result.state, result.reason], ['cancelled', 'enough']);
    assert.deepEqual(gateway.submitted, []);
  });

  it('resolved while it waits: nothing is left to start', async () => {
    const governor = new FakeGovernor();
    governor.stops = [stop];

    const { result, gateway } = await repair({
      ...{ hosts: 2, steps: [aRollout('1')], governor },
      during: async (handle) => {
        await untilPaused(handle);
        await handle.signal(signalNames.episodeChanged, {
          resolved: aRemediation().episodes.map(({ id }) => id),
        });
      },
    });

    assert.equal(result.state, 'superseded');
    assert.deepEqual(gateway.submitted, []);
  });

  it('hosts of a stopped domain wait and are told apart; those of the other one go on', async () => {
    const governor = new FakeGovernor();
    governor.stops = [{ ...stop, scope: { domain: 'zone=z1' } }];
    let waiting: RemediationProgress | undefined;
    let asks = 0;
    governor.onAsk = async ({ remediationId }) => {
      // A query that comes while a local activity runs is answered after 3 s only.
      asks += 1;
      if (asks < 8 || waiting !== undefined) return;
      const progress = await progressOf(environment.client.workflow.getHandle(remediationId));
      if (progress.state === 'admitting' && progress.reason !== null) waiting = progress;
    };

    const { result } = await repair({
      ...{ hosts: 4, zones: 2, steps: [aRollout('2')], governor },
    });

    assert.match(
      waiting?.reason ?? '',
      /2 hosts: zone=z1 is stopped by ada: it makes things worse/,
    );
    assert.deepEqual(result.letters['restart'], 'shsh');
    assert.match(result.reason ?? '', /2 of 4 hosts were not admitted.*zone=z1 is stopped by ada/);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { ControlState, ControlUpdate, LockUpdate } from '../../contracts/control.ts';
import { limits } from '../../contracts/limits.ts';
import { taskQueues, workflowTypes } from '../../contracts/temporal.ts';
import { eventually } from '../support/eventually.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

/** Those of one run; and how many at a time, which Temporal bounds at ten. */
const updatesMax = 500;
const atOnce = 8;

describe('control workflow', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  it('a request whose answer was lost is not done again by the run that continued as new', async () => {
    const published: ControlState[] = [];
    const publishControl = async (state: ControlState) => {
      published.push(state);
      return state.revision;
    };
    await withWorkers(environment, { publishControl }, async () => {
      const allowed: ControlState = { revision: 0, stopped: false, reason: '', by: '', at: 0 };
      const first = await environment.client.workflow.start(workflowTypes.control, {
        workflowId: 'control:test',
        taskQueue: taskQueues.workflows,
        args: [{ state: allowed }],
      });
      const handle = environment.client.workflow.getHandle('control:test');
      const lock = (reason: string, updateId: string) =>
        handle.executeUpdate<ControlState, [LockUpdate]>('lockAgent', {
          args: [{ agentId: '0123456789ab', by: 'anna', reason }],
          updateId,
        });
      const turn = (name: 'stop' | 'allow', updateId: string) =>
        handle.executeUpdate<ControlState, [ControlUpdate]>(name, {
          args: [{ by: 'anna', reason: 'storm' }],
          updateId,
        });
      for (let from = 0; from < updatesMax - 3; from += atOnce) {
        const count = Math.min(atOnce, updatesMax - 3 - from);
        await Promise.all(
          Array.from({ length: count }, (_, at) => turn('allow', `turn-${from + at}`)),
        );
      }
      await lock('cloned', 'lock-1');
      await turn('stop', 'stop-1');
      await handle.executeUpdate('unlockAgent', {
        args: [{ agentId: '0123456789ab', by: 'anna', reason: 'it was a backup' }],
        updateId: 'unlock-1',
      });
      await eventually(async () => {
        const { runId } = await handle.describe();
        assert.notEqual(runId, first.firstExecutionRunId);
      });
      const { revision } = await turn('allow', 'allow-1');
      await eventually(() => assert.equal(published.at(-1)?.revision, revision));
      const before = published.length;

      const answers = [await lock('cloned', 'lock-1'), await turn('stop', 'stop-1')];

      for (const { stopped, locked } of answers) assert.deepEqual([stopped, locked], [false, []]);
      assert.equal(published.length, before, 'nothing was published again');
      assert.equal((await turn('stop', 'stop-2')).stopped, true, 'another request is another one');
      await handle.terminate('over');
    });
  });

  it('a policy and a domain are stopped beside the switch, each with its owner, and only their own word lifts them', async () => {
    const published: ControlState[] = [];
    const publishControl = async (state: ControlState) => {
      published.push(state);
      return state.revision;
    };
    await withWorkers(environment, { publishControl }, async () => {
      const handle = await environment.client.workflow.start(workflowTypes.control, {
        workflowId: 'control:stops',
        taskQueue: taskQueues.workflows,
        args: [{ state: { revision: 0, stopped: false, reason: '', by: '', at: 0 } }],
      });
      const turn = (name: 'stop' | 'allow', update: ControlUpdate) =>
        handle.executeUpdate<ControlState, [ControlUpdate]>(name, { args: [update] });
      const web = { policy: 'web' };
      await turn('stop', { by: 'anna', reason: 'worse', scope: web });
      await turn('stop', { by: 'eve', reason: 'again', scope: web });
      await turn('stop', { by: 'ben', reason: 'power', scope: { domain: 'zone=eu-1' } });
      await turn('stop', { by: 'ben', reason: 'fire' });

      const all = await turn('allow', { by: 'ben', reason: 'over' });
      const one = await turn('allow', { by: 'anna', reason: 'fixed', scope: web });

      const owners = ({ stops = [] }: ControlState) => stops.map(({ by, reason }) => [by, reason]);
      assert.deepEqual([all.stopped, all.reason], [false, 'over']);
      assert.deepEqual(owners(all), [
        ['anna', 'worse'],
        ['ben', 'power'],
      ]);
      assert.deepEqual(owners(one), [['ben', 'power']]);
      assert.equal(one.reason, 'over', 'the switch for everything keeps its own reason');
      await eventually(() => assert.equal(published.at(-1)?.revision, one.revision));
      for (let n = 1; n < limits.stopsMax; n++) {
        await turn('stop', { by: 'anna', reason: 'storm', scope: { policy: `p${n}` } });
      }
      await assert.rejects(
        turn('stop', { by: 'anna', reason: 'storm', scope: { policy: 'one-more' } }),
        (error: Error) =>
          /100 stops stand/.test(error.cause instanceof Error ? error.cause.message : ''),
      );
      await handle.terminate('over');
    });
  });
});

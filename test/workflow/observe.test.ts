import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RemediationProgress } from '../../contracts/temporal.ts';
import { anAlert, aRemediation } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { detailsOf } from '../support/flap-story.ts';
import { aRollout, guardedRepair } from '../support/guarded-repair.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { RepairLoop } from '../support/repair-loop.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

/** A worker must have something that it could do. */
const idle = { recordOutcome: async () => {} };

describe('a policy that only observes', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  it('its repair says what it would do, asks nobody for a host and submits nothing', async () => {
    const policy = { ...aRemediation().policy, autonomy: 'observe' as const };

    const { id, result, recorded, gateway, governor } = await guardedRepair(environment, {
      ...{ hosts: 6, zones: 2, cap: 2 },
      steps: [aRollout('1 2')],
      input: { policy: { ...policy, guards: { domainBy: ['zone'] } } },
    });

    assert.equal(result.state, 'held');
    assert.equal(
      result.reason,
      'observed: would run restart-web on 6 hosts: step restart: 4 batches of 1, 2 ×2, 1 hosts; zone=z0: 3 of 3 agents, 2 may be held at once; zone=z1: 3 of 3 agents, 2 may be held at once',
    );
    assert.deepEqual(recorded, [result]);
    assert.deepEqual([gateway.submitted.length, governor.asked.length], [0, 0]);
    const handle = environment.client.workflow.getHandle(id);
    const { outlook, targets } = await withWorkers(environment, idle, () =>
      handle.query<RemediationProgress>('progress'),
    );
    assert.deepEqual(outlook?.steps, [{ name: 'restart', batches: [1, 2, 2, 1] }]);
    assert.equal(targets.map(({ letter }) => letter).join(''), 'hhhhhh');
    const details = await withWorkers(environment, idle, () => detailsOf(environment, id));
    assert.match(details, /- restart: 4 batches of 1, 2 ×2, 1 hosts/);
  });

  it('what would have kept it from starting is told in place of it', async () => {
    const policy = { ...aRemediation().policy, autonomy: 'observe' as const };

    const { result } = await guardedRepair(environment, {
      ...{ hosts: 3, cap: 1 },
      steps: [aRollout('1'), { ...aRollout('1'), name: 'reload' }],
      input: { policy: { ...policy, guards: { domainBy: ['zone'] } } },
    });

    assert.match(result.reason ?? '', /^cap_reached: 3 hosts are in zone=z0/);
  });

  it('an alert that goes on firing is observed once per cooldown, not once per firing', async () => {
    const policies = await policySet(
      aPolicyText(
        'watch',
        'autonomy: observe',
        'targets: { from: { label: instance, strip: port, by: hostname } }',
        'guards: { cooldown: 15m, maxRuns: { count: 100, window: 1h } }',
      ),
    );
    const loop = new RepairLoop({ client: environment.client, policies, hosts: ['web1'] });

    await withWorkers(environment, loop.activities, async () => {
      await loop.alert('watch', 'web', [anAlert({ receivedAtMs: Date.now() })]);
      await eventually(() => assert.equal(loop.ended.length, 1));
      for (let minute = 1; minute <= 29; minute += 1) {
        await environment.sleep('1 minute');
        const receivedAtMs = await environment.currentTimeMs();
        await loop.alert('watch', 'web', [anAlert({ receivedAtMs })]);
      }
      await eventually(() => assert.equal(loop.ended.length, 2));
      await loop.mailbox('watch', 'web').terminate('seen');
    });

    assert.deepEqual(
      loop.ended.map(({ state, reason }) => [state, reason?.split(':')[0]]),
      [
        ['held', 'observed'],
        ['held', 'observed'],
      ],
    );
    assert.deepEqual(loop.submitted, []);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Context } from '@temporalio/activity';
import type { HoldsView } from '../../contracts/admission.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import { queryNames, taskQueues, workflowTypes } from '../../contracts/temporal.ts';
import { systemClock } from '../../platform/clock.ts';
import { aRemediation, aRunbook } from '../support/builders.ts';
import { startCoreWorkers } from '../support/core-workers.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGovernor, guardedPlan, someGuards } from '../support/fake-governor.ts';
import { aRollout } from '../support/guarded-repair.ts';
import { temporalClient } from '../support/intake-product.ts';
import { ScriptedGateway } from '../support/scripted-gateway.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

/** Well below the 3 s of a try, well above the way of a query. */
const grantedMs = 1_500;

describe('what a repair says that it holds', () => {
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  before(async () => {
    temporal = await startTemporal();
    client = temporalClient(temporal.address);
  });
  after(async () => {
    await client.stop();
    await temporal.stop();
  });

  it('a rebuild that asks while a grant is under way hears of it', async () => {
    const governor = new FakeGovernor();
    const gateway = new ScriptedGateway();
    const { recorded: _, ...scripted } = gateway.activities(guardedPlan({ hosts: 2 }));
    let grantedAtOnce = 0;
    const workers = await startCoreWorkers({
      address: temporal.address,
      activities: {
        ...scripted,
        async admitBatch(input) {
          const answer = await governor.admitBatch(input);
          if (Context.current().info.isLocal) grantedAtOnce += 1;
          await systemClock.sleep(grantedMs);
          return answer;
        },
      },
      gateway: true,
    });
    const base = aRemediation();
    const { remediationId, policy } = base;
    const input = {
      ...{ ...base, policy: { ...policy, guards: someGuards }, clocks: defaultClocks },
      runbook: aRunbook({ steps: [aRollout('2')] }),
    };
    const handle = await client.client.workflow.start(workflowTypes.remediation, {
      ...{ workflowId: remediationId, taskQueue: taskQueues.workflows, args: [input] },
    });
    try {
      await eventually(() => assert.equal(grantedAtOnce, 1));
      assert.equal(gateway.submitted.length, 0, 'the grant is under way');

      const { hosts } = await handle.query<HoldsView>(queryNames.holds);

      assert.deepEqual(
        hosts.map(([agentId]) => agentId),
        governor.heldBy(remediationId),
      );
      assert.equal(hosts.length, 2);
    } finally {
      await handle.terminate('the test is over');
      await workers.stop();
    }
  });
});

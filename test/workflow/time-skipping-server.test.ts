import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { eventually } from '../support/eventually.ts';
import { repairOn, ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

describe('the time-skipping server', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  it('is told of no deadline on a whole second, which it takes for none', async () => {
    const gateway = new ScriptedGateway();
    let isBack = false;
    gateway.onSubmit = async () => {
      if (!isBack)
        throw ApplicationFailure.retryable('the gateway is away', 'upstream_unavailable');
    };

    let nanos: number | null | undefined;
    await repairOn(environment, {
      gateway,
      during: async (handle) => {
        nanos = await eventually(async () => {
          const { raw } = await handle.describe();
          const [pending] = raw.pendingActivities ?? [];
          assert.equal(pending?.activityType?.name, 'submitTask');
          return pending.expirationTime?.nanos;
        });
        isBack = true;
      },
    });

    assert.equal(Number(nanos) % 1_000_000, 500_000);
  });
});

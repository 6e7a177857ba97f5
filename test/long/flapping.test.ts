import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { flapsBesideARepair } from '../support/flap-story.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

describe('an alert that comes and goes for days', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  it('every two minutes for three days beside a repair: it stays within 60 events, and the group is held', () =>
    flapsBesideARepair(environment, { hours: 72 }));

  it('the same while the repair waits three days for an approval', () =>
    flapsBesideARepair(environment, { hours: 72, isAsking: true }));
});

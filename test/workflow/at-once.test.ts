import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { defaultClocks } from '../../contracts/limits.ts';
import { FakeGovernor, guardedPlan } from '../support/fake-governor.ts';
import { aRollout, guardedRepair } from '../support/guarded-repair.ts';
import { type FakeActivities, timeSkipping } from '../support/workflow-environment.ts';

type Where = 'at once' | 'queued';
const here = (): Where => (Context.current().info.isLocal ? 'at once' : 'queued');

describe('what a repair asks at once', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  /** Runs a repair of one batch; `answer` is called before each plan and each admission. */
  async function asking(answer: (question: string, where: Where) => Promise<void>) {
    const asked: [string, Where][] = [];
    const ask = async (question: string) => {
      asked.push([question, here()]);
      await answer(question, here());
    };
    const governor = new FakeGovernor();
    governor.onAsk = () => ask('admit');
    const planTargets: FakeActivities['planTargets'] = async () => {
      await ask('plan');
      return guardedPlan({ hosts: 2 });
    };
    const { result, events } = await guardedRepair(environment, {
      ...{ hosts: 2, steps: [aRollout('2')], governor },
      activities: { planTargets },
      input: { clocks: { ...defaultClocks, admitTryMs: 200 } },
    });
    const queued = events.flatMap(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
    );
    return { asked, result, queued, events };
  }

  it('answered at once: no activity of the queue, and the batch begins with the first workflow task', async () => {
    const { asked, result, queued, events } = await asking(async () => {});

    assert.equal(result.state, 'verified');
    assert.deepEqual(asked, [
      ['plan', 'at once'],
      ['admit', 'at once'],
    ]);
    assert.deepEqual(queued, ['submitTask', 'probe', 'recordOutcome']);
    const submit = events.findIndex(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'submitTask',
    );
    const tasksBefore = events
      .slice(0, submit)
      .filter((event) => event.workflowTaskStartedEventAttributes);
    assert.equal(tasksBefore.length, 1);
  });

  it('what fails at once is asked of its queue until it is answered', async () => {
    let isAway = true;
    const { asked, result, queued } = await asking(async (_, where) => {
      if (where === 'at once') throw ApplicationFailure.retryable('Redis is away', 'away');
      isAway = !isAway;
      if (!isAway) throw ApplicationFailure.retryable('Redis is still away', 'away');
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(asked, [
      ['plan', 'at once'],
      ['plan', 'queued'],
      ['plan', 'queued'],
      ['admit', 'at once'],
      ['admit', 'queued'],
      ['admit', 'queued'],
    ]);
    assert.deepEqual(queued.slice(0, 2), ['planTargets', 'admitBatch']);
  });

  it('an admission that hangs at once is given up after its try, and asked of its queue', async () => {
    const { asked, result } = await asking(async (question, where) => {
      if (question === 'admit' && where === 'at once') await Context.current().cancelled;
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(asked.slice(1), [
      ['admit', 'at once'],
      ['admit', 'queued'],
    ]);
  });
});

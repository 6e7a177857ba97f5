import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { CoreActivities } from '../../contracts/activities.ts';
import type { EscalatedEnd, EscalationEnd } from '../../contracts/escalation.ts';
import { taskQueues, workflowTypes } from '../../contracts/temporal.ts';
import { aRemediation } from '../support/builders.ts';
import { anEscalation } from '../support/escalation.ts';
import { quickGateway } from '../support/guarded-repair.ts';
import { repairOn } from '../support/scripted-gateway.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

type Sent = Parameters<CoreActivities['sendEscalation']>[0];
type Recorded = Parameters<CoreActivities['recordEscalation']>[0];

describe('escalation', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const receiving = (answer: (tries: number) => void = () => {}) => {
    const sent: Sent[] = [];
    const recorded: Recorded[] = [];
    const activities = {
      sendEscalation: async (input: Sent) => answer(sent.push(input)),
      recordEscalation: async (input: Recorded) => {
        recorded.push(input);
      },
    };
    return { sent, recorded, activities };
  };
  const endOf = (id: string): Promise<EscalationEnd> =>
    environment.client.workflow.getHandle(`escalation:${id}`).result();
  const repair = (
    on: readonly EscalatedEnd[],
    letters: string,
    { activities }: ReturnType<typeof receiving>,
  ) => {
    const escalation = { url: 'http://127.0.0.1:1/hook', on };
    return repairOn(environment, {
      gateway: quickGateway(() => letters),
      input: { policy: { ...aRemediation().policy, escalation } },
      activities: {
        ...activities,
        // In the workers of the repair: they must live until the escalation has ended.
        recordOutcome: async () => {},
      },
      during: async (handle) => {
        await handle.result();
        if (on.includes('failed') && letters === 'ff') await endOf(handle.workflowId);
      },
    });
  };

  it('a repair that fails ends at once, and a person is told what happened', async () => {
    const receiver = receiving();

    const { id, result } = await repair(['failed'], 'ff', receiver);

    assert.equal(result.state, 'failed');
    const [told] = receiver.sent;
    assert.equal(told?.id, id);
    assert.equal(told.url, 'http://127.0.0.1:1/hook');
    assert.equal(told.body.type, 'remediation.failed');
    assert.equal(told.body.data.command, `fixpoint remediation show ${id}`);
    assert.match(
      told.body.data.account,
      /^ServiceDown fired.* Step restart: 2 failed \(web0, web1\)\./,
    );
    assert.deepEqual(await endOf(id), { state: 'sent', reason: null });
    assert.deepEqual(receiver.recorded, [
      { remediationId: id, policy: 'restart-web', state: 'sent', reason: null },
    ]);
  });

  it('ends that the policy does not name are told to nobody', async () => {
    const receiver = receiving();

    const failed = await repair(['held'], 'ff', receiver);
    const verified = await repair(['failed'], 'ss', receiver);

    assert.deepEqual([failed.result.state, verified.result.state], ['failed', 'verified']);
    assert.deepEqual(receiver.sent, []);
  });

  const escalate = async (receiver: ReturnType<typeof receiving>, name: string) =>
    withWorkers(environment, receiver.activities, async () => {
      const end: EscalationEnd = await environment.client.workflow.execute(
        workflowTypes.escalation,
        {
          workflowId: `escalation:${name}`,
          taskQueue: taskQueues.workflows,
          // Pauses between tries pass in real time here.
          args: [anEscalation({ retryMs: 10_000 })],
        },
      );
      return end;
    });

  it('a receiver that is away is tried again until it takes it', async () => {
    const receiver = receiving((tries) => {
      if (tries < 3)
        throw ApplicationFailure.retryable('the receiver: status 503', 'upstream_unavailable');
    });

    const end = await escalate(receiver, 'away');

    assert.deepEqual(end, { state: 'sent', reason: null });
    assert.equal(receiver.sent.length, 3);
  });

  it('one that nobody takes in time is dead, with the last word of the receiver', async () => {
    const receiver = receiving(() => {
      throw ApplicationFailure.retryable('the receiver: status 503', 'upstream_unavailable');
    });

    const end = await escalate(receiver, 'dead');

    assert.deepEqual(end, { state: 'dead', reason: 'the receiver: status 503' });
    assert.equal(receiver.recorded[0]?.state, 'dead');
    assert.ok(receiver.sent.length > 1, `${receiver.sent.length} tries`);
  });

  it('one that may not be sent is dead at once', async () => {
    const receiver = receiving(() => {
      throw ApplicationFailure.nonRetryable('x is not a host that may be sent to', 'forbidden');
    });

    const end = await escalate(receiver, 'refused');

    assert.deepEqual(end, { state: 'dead', reason: 'x is not a host that may be sent to' });
    assert.equal(receiver.sent.length, 1);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { type Plan, signalNames } from '../../contracts/temporal.ts';
import { anEpisode, aRunbook, aScript, aStep } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { planOf, repairOn, ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const cancel = (handle: WorkflowHandle) =>
  handle.executeUpdate('cancel', { args: [{ by: 'anna', reason: 'wrong hosts' }] });

describe('remediation, at its edges', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof repairOn>[1]) => repairOn(environment, of);
  const quick = () => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    return gateway;
  };

  it('every host failed within the failures that are allowed: failed, not superseded', async () => {
    const gateway = quick();
    gateway.letters = (_, task) => 'f'.repeat(task.targets.length);
    const rollout = { batchSize: 500, maxFailures: '100%', soakMs: 0 };

    const { result } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ rollout })] }) },
    });

    assert.equal(result.state, 'failed');
    assert.match(result.reason ?? '', /no host came through/);
  });

  it('a task that somebody cancelled at the gateway: failed, and the next batch does not start', async () => {
    const gateway = quick();
    gateway.letters = (_, task) => 'c'.repeat(task.targets.length);
    const rollout = { batchSize: 1, maxFailures: 0, soakMs: 0 };

    const { result } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ rollout })] }) },
    });

    assert.equal(result.state, 'failed');
    assert.match(result.reason ?? '', /1 hosts failed or were cancelled, 0 may/);
    assert.deepEqual(result.letters, { restart: 'ch' });
    assert.equal(gateway.submitted.length, 1);
  });

  it('a host cancelled at the gateway within the failures that are allowed is not proven', async () => {
    const gateway = quick();
    gateway.letters = (key, task) =>
      (key.includes('/clean/') ? 'sc' : 'ss').slice(0, task.targets.length);
    const rollout = { batchSize: 500, maxFailures: 1, soakMs: 0 };

    const { result } = await repair({
      gateway,
      input: {
        runbook: aRunbook({ steps: [aStep({ rollout }), aStep({ rollout, name: 'clean' })] }),
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters, { restart: 'ss', clean: 'sc', verify: 'sh' });
  });

  it('every alert is over after the first of two steps: what was done is proven', async () => {
    const gateway = quick();
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/')) return;
      await environment.client.workflow
        .getHandle(key.split('/')[0] ?? '')
        .signal(signalNames.episodeChanged, { resolved: [anEpisode().id] });
    };

    const { result } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep(), aStep({ name: 'clean' })] }) },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters, { restart: 'ss', clean: 'kk', verify: 'ss' });
  });

  it('120 batches go on in a fresh history after 100, with every letter and every soak', async () => {
    const gateway = quick();
    const rollout = { batchSize: 1, maxFailures: 0, soakMs: 1_000 };

    const { result, recorded, timers, events } = await repair({
      gateway,
      plan: planOf(120),
      input: { runbook: aRunbook({ steps: [aStep({ rollout })] }) },
    });

    const submits = gateway.submitted.filter(({ key }) => key.includes('/restart/'));
    assert.equal(result.state, 'verified');
    assert.equal(result.letters['restart'], 's'.repeat(120));
    assert.equal(new Set(submits.map(({ key }) => key)).size, 120);
    assert.equal(
      new Set(submits.flatMap(({ task }) => task.targets.map(({ agentId }) => agentId))).size,
      120,
    );
    assert.equal(recorded.length, 1);
    // The soak after batch 100 was before the hand-over: 19 are left of 119.
    assert.deepEqual(timers, new Array(19).fill(1_000));
    assert.ok(
      events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId,
      'it continued as new',
    );
    const soaks = gateway.submittedAtMs;
    assert.ok(
      (soaks[100] ?? 0) - (soaks[99] ?? 0) >= 1_000 - 10,
      'batch 101 came without its soak',
    );
  });

  it('a cancel while it is planned ends it without waiting for the plan', async () => {
    const gateway = quick();
    let asked = 0;

    const { result, recorded } = await repair({
      gateway,
      activities: {
        planTargets: async () => {
          asked += 1;
          throw ApplicationFailure.create({ type: 'inventory_incomplete', message: 'not yet' });
        },
      },
      during: async (handle) => {
        await eventually(() => assert.ok(asked > 0));
        await cancel(handle);
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.equal(result.reason, 'wrong hosts');
    assert.equal(recorded.length, 1);
    assert.equal(gateway.submitted.length, 0);
  });

  it('a cancel that was accepted before a plan that holds ends cancelled', async () => {
    const gateway = quick();
    const plan: Plan = { kind: 'held', reason: 'no_target', detail: 'no agent has hostname web1' };
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let asked = false;

    const { result } = await repair({
      gateway,
      activities: {
        planTargets: async () => {
          asked = true;
          await released;
          return plan;
        },
      },
      during: async (handle) => {
        await eventually(() => assert.ok(asked));
        await cancel(handle);
        release();
      },
    });

    assert.equal(result.state, 'cancelled');
  });

  it('an inventory that never gets complete ends held, with one record', async () => {
    const gateway = quick();

    const { result, recorded } = await repair({
      gateway,
      activities: {
        planTargets: async () => {
          throw ApplicationFailure.create({ type: 'inventory_incomplete', message: 'not yet' });
        },
      },
    });

    assert.equal(result.state, 'held');
    assert.match(result.reason ?? '', /^inventory_incomplete: /);
    assert.equal(recorded.length, 1);
  });

  it('a plan that fails for good ends held, with one record', async () => {
    const gateway = quick();

    const { result, recorded } = await repair({
      gateway,
      activities: {
        planTargets: async () => {
          throw ApplicationFailure.nonRetryable('no such thing', 'invalid_payload');
        },
      },
    });

    assert.equal(result.state, 'held');
    assert.match(result.reason ?? '', /^plan_failed: no such thing/);
    assert.equal(recorded.length, 1);
  });

  for (const at of ['a later step', 'the probe'] as const) {
    it(`a label that ${at} names and no alert has: nothing is submitted`, async () => {
      const gateway = quick();
      const needy = aScript({ args: ['${labels.rack}'] });
      const runbook =
        at === 'the probe'
          ? aRunbook({ verify: { probe: { script: needy, timeoutMs: 10_000 }, withinMs: 60_000 } })
          : aRunbook({ steps: [aStep(), aStep({ name: 'clean', script: needy })] });

      const { result } = await repair({ gateway, input: { runbook } });

      assert.equal(result.state, 'held');
      assert.match(result.reason ?? '', /^missing_label: /);
      assert.equal(gateway.submitted.length, 0);
    });
  }

  it('a cancel in the soak ends it at once; the next batch never starts', async () => {
    const gateway = quick();
    const rollout = { batchSize: 1, maxFailures: 0, soakMs: 3_600_000 };

    const { result, events } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ rollout })] }) },
      during: async (handle) => {
        await eventually(() => assert.ok(gateway.submitted.length === 1));
        await cancel(handle);
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.deepEqual(result.letters, { restart: 'sh' });
    assert.ok(events.length <= 60, `${events.length} events`);
  });

  /** A step on 30 hosts that all say "not now" at the first try. */
  const refusedForNow = async (gateway: ScriptedGateway) => {
    gateway.endsAtOnce = true;
    gateway.reason = 'no_lease';
    gateway.letters = (key, { targets }) =>
      (key.includes('/restart/1/1') ? 'r' : 's').repeat(targets.length);
    const retry = { attempts: 2, backoffMs: 10_000, on: ['unreachable' as const] };
    const input = { runbook: aRunbook({ steps: [aStep({ retry })] }) };
    const { result } = await repairOn(environment, { gateway, plan: planOf(30), input });
    return result;
  };

  it('30 hosts that refuse for want of a lease are all tried again', async () => {
    const result = await refusedForNow(new ScriptedGateway());

    assert.deepEqual([result.state, result.letters.restart], ['verified', 's'.repeat(30)]);
  });

  it('of 30 hosts that refuse for now an older gateway names 20, which are tried again', async () => {
    const gateway = new ScriptedGateway();
    gateway.isOld = true;

    const result = await refusedForNow(gateway);

    const letters = `${'s'.repeat(20)}${'r'.repeat(10)}`;
    assert.deepEqual([result.state, result.letters.restart], ['failed', letters]);
  });

  it('a cancel that the gateway was away for is told again until it hears', async () => {
    const gateway = new ScriptedGateway();
    gateway.letters = () => (gateway.cancelled.length > 0 ? 'cc' : '..');
    let tries = 0;
    gateway.onCancel = async () => {
      tries += 1;
      // More than are made in the 15 s of the first telling.
      if (tries <= 9) throw new Error('the gateway is away');
    };

    const { result, events } = await repairOn(environment, {
      gateway,
      plan: planOf(2),
      input: { runbook: aRunbook({ steps: [aStep({ timeoutMs: 3_600_000 })] }) },
      during: async (handle) => {
        await eventually(() => assert.ok(gateway.submitted.length === 1));
        await cancel(handle);
      },
    });

    assert.deepEqual([result.state, result.letters.restart], ['cancelled', 'cc']);
    assert.equal(gateway.cancelled.length, 1);
    // A wait, a look and a telling more than a repair whose gateway is there.
    assert.ok(events.length <= 80, `${events.length} events`);
  });

  it('a cancel in the back-off ends it with the letters of the try before', async () => {
    const gateway = quick();
    gateway.letters = () => 'sf';
    const retry = { attempts: 3, backoffMs: 600_000, on: ['failed' as const] };

    const { result } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ retry })] }) },
      during: async (handle) => {
        await eventually(() => assert.ok(gateway.submitted.length === 1));
        await cancel(handle);
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.equal(gateway.submitted.length, 1);
    assert.match(result.letters['restart'] ?? '', /^[sp]f$/);
  });

  it('a cancel after the repair is done is refused, and changes nothing', async () => {
    const gateway = quick();
    let refusal = '';
    gateway.letters = (key, task) =>
      (key.includes('/verify/') && gateway.submitted.length < 3 ? 'f' : 's').repeat(
        task.targets.length,
      );

    const { result } = await repair({
      gateway,
      during: async (handle) => {
        await eventually(() => assert.ok(gateway.submitted.length >= 2));
        await cancel(handle).catch((error: Error) => {
          refusal = String(error.cause);
        });
      },
    });

    assert.equal(result.state, 'verified');
    assert.match(refusal, /too late to cancel/);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { HoldsView } from '../../contracts/admission.ts';
import {
  queryNames,
  type RemediationProgress,
  signalNames,
  taskQueues,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { aRemediation, aRunbook, aStep, someTargets } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGovernor, guardedPlan, someGuards } from '../support/fake-governor.ts';
import { aRollout, guardedRepair, numbersOf, quickGateway } from '../support/guarded-repair.ts';
import { nextRepairId, planOf, repairOn, ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

const agents = (...numbers: readonly number[]) =>
  numbers.map((number) => someTargets(number + 1)[number]?.agentId ?? '');
const progressOf = (handle: WorkflowHandle) => handle.query<RemediationProgress>('progress');
const other = 'remediation:other:db~00000000:87654321-1';

describe('admission', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof guardedRepair>[1]) => guardedRepair(environment, of);

  it('every host is asked for before it is touched, and its holds are told by a query', async () => {
    const governor = new FakeGovernor();
    const gateway = quickGateway();
    const unheld: string[] = [];
    let view: HoldsView | undefined;
    gateway.onSubmit = async (key, task) => {
      const held = new Set(governor.heldBy(key.split('/')[0] ?? ''));
      unheld.push(...task.targets.flatMap(({ agentId }) => (held.has(agentId) ? [] : [agentId])));
      if (!key.includes('/restart/2/')) return;
      const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
      view = await handle.query<HoldsView>(queryNames.holds);
    };

    const { result } = await repair({
      ...{ hosts: 4, zones: 2, steps: [aRollout('1 3')], gateway, governor },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(unheld, []);
    assert.deepEqual(view?.places, [['zone=z0'], ['zone=z1']]);
    assert.deepEqual(view?.hosts.map(([agentId]) => agentId).toSorted(), agents(0, 1, 2, 3));
  });

  it('a cap below the hosts of a zone: what was done is proven to make room, and nothing waits', async () => {
    const { result, batches, governor, gateway, timers } = await repair({
      hosts: 12,
      zones: 2,
      cap: 2,
      steps: [aRollout('4')],
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batches, [4, 4, 4]);
    assert.deepEqual([...governor.fullest.values()], [2, 2]);
    assert.equal(governor.asked.length, 3);
    assert.deepEqual(
      gateway.submitted.map(({ key }) => key.split('/').slice(1).join('/')),
      ['restart/1/1', 'verify/1/1', 'restart/2/1', 'verify/2/1', 'restart/3/1', 'verify/3/1'],
    );
    assert.deepEqual(timers, []);
  });

  it('hosts that another repair holds go to a later batch, and the others do not wait for them', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(1));
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (key.includes('/restart/3/')) governor.free(other);
    };

    const { result, batches } = await repair({
      ...{ hosts: 6, steps: [aRollout('2')], gateway, governor },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batches, [1, 2, 2, 1]);
    assert.deepEqual(numbersOf(gateway.submitted[3]?.task.targets ?? []), [1]);
  });

  it('a canary that another repair holds: it waits, says for whom, and goes on when it is free', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(0));
    let waiting: RemediationProgress | undefined;
    let asks = 0;
    governor.onAsk = async ({ remediationId }) => {
      asks += 1;
      if (asks < 3) return;
      waiting ??= await progressOf(environment.client.workflow.getHandle(remediationId));
      governor.free(other);
    };

    const { result, timers } = await repair({ hosts: 1, steps: [aRollout('1')], governor });

    assert.equal(result.state, 'verified');
    assert.equal(waiting?.state, 'admitting');
    assert.equal(waiting?.reason, `batch 1 of step restart waits: 1 host busy: held by ${other}`);
    assert.deepEqual(timers, [1_000, 2_000]);
  });

  it('a canary that another repair holds, and others are free: one of them goes first at once', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(0));
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (key.includes('/restart/2/')) governor.free(other);
    };

    const { result, batches, timers } = await repair({
      ...{ hosts: 4, steps: [aRollout('1 2')], gateway, governor },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batches, [1, 2, 1]);
    assert.deepEqual(numbersOf(gateway.submitted[0]?.task.targets ?? []), [1]);
    assert.deepEqual(timers, []);
  });

  it('nobody is admitted for ten minutes: held, with limit, use and what to do, and nothing ran', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(7, 8));

    const { result, gateway, timers } = await repair({
      ...{ hosts: 3, cap: 2, steps: [aRollout('1')], governor },
    });

    assert.equal(result.state, 'held');
    assert.equal(
      result.reason,
      'cap_reached: 3 of 3 hosts were not admitted within 10 min: 1 host: zone=z0 may have 2 held at once, has 2; it goes on when other hosts of the domain are proven; or raise guards.blastRadius',
    );
    assert.deepEqual(result.letters, { restart: 'hhh' });
    assert.equal(gateway.submitted.length, 0);
    assert.ok(timers.length <= 45, `${timers.length} tries`);
    assert.equal(Math.round(timers.reduce((sum, ms) => sum + ms, 0) / 10_000), 60);
  });

  it('some are never admitted: who came through is proven, and the reason names the others', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(2));

    const { result } = await repair({ hosts: 3, steps: [aRollout('1')], governor });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters, { restart: 'ssh', verify: 'ssh' });
    assert.match(result.reason ?? '', /^1 of 3 hosts were not admitted within 10 min: 1 host busy/);
  });

  it('two repairs of one host: one waits and learns the holder, and both end', async () => {
    const governor = new FakeGovernor();
    const gateway = new ScriptedGateway();
    const ids = [nextRepairId(), nextRepairId()] as const;
    const finish = async (id: string) => {
      for (const { key } of gateway.submitted.filter((submit) => submit.key.startsWith(`${id}/`))) {
        const handle = environment.client.workflow.getHandle(id);
        await handle.signal(signalNames.taskFinished, { report: gateway.reportOf(key) });
      }
    };
    const scripted = gateway.activities(guardedPlan({ hosts: 1 }));
    const activities = {
      ...scripted,
      admitBatch: governor.admitBatch.bind(governor),
      recordOutcome: async ({ result }: { result: { remediationId: string } }) =>
        governor.free(result.remediationId),
    };

    const results = await withWorkers(environment, activities, async () => {
      const [first, second] = await Promise.all(
        ids.map((remediationId) =>
          environment.client.workflow.start(workflowTypes.remediation, {
            workflowId: remediationId,
            taskQueue: taskQueues.workflows,
            args: [
              aRemediation({
                remediationId,
                policy: { ...aRemediation().policy, guards: someGuards },
                runbook: aRunbook({ steps: [aRollout('1')], verify: { probe: null, withinMs: 1 } }),
              }),
            ],
          }),
        ),
      );
      assert.ok(first && second);
      const [holder, waiter] = await eventually(async () => {
        const states = await Promise.all([progressOf(first), progressOf(second)]);
        const waits = states.findIndex(({ reason }) => reason?.includes('busy: held by'));
        assert.ok(waits >= 0 && gateway.submitted.length > 0);
        return waits === 0 ? [second, first] : [first, second];
      });
      const { reason } = await progressOf(waiter);
      assert.ok(reason?.endsWith(`held by ${holder.workflowId}`), reason ?? '');
      await finish(holder.workflowId);
      const ended = [await holder.result()];
      await eventually(() => assert.equal(gateway.submitted.length, 2));
      await finish(waiter.workflowId);
      ended.push(await waiter.result());
      return ended;
    });

    assert.deepEqual(
      results.map(({ letters }) => letters),
      [{ restart: 's' }, { restart: 's' }],
    );
    assert.equal(governor.fullest.get('zone=z0'), 1);
  });

  it('holds that are not to be trusted: the admission waits and never passes, and a cancel ends it', async () => {
    const governor = new FakeGovernor();
    governor.onAsk = async () => {
      throw ApplicationFailure.retryable('Redis may have lost holds', 'upstream_unavailable');
    };

    const { result, gateway } = await repair({
      ...{ hosts: 2, steps: [aRollout('1')], governor },
      during: async (handle) => {
        await eventually(() => assert.ok(governor.asked.length > 2));
        await handle.executeUpdate('cancel', { args: [{ by: 'anna', reason: 'enough' }] });
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.equal(gateway.submitted.length, 0);
  });

  it('all alerts over while it waits: superseded, and nobody is asked again', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(0));

    const { result } = await repair({
      ...{ hosts: 1, steps: [aRollout('1')], governor },
      during: async (handle) => {
        await eventually(async () => {
          assert.equal((await progressOf(handle)).state, 'admitting');
          assert.ok(governor.asked.length > 0);
        });
        await handle.signal(signalNames.episodeChanged, {
          resolved: aRemediation().episodes.map(({ id }) => id),
        });
      },
    });

    assert.equal(result.state, 'superseded');
    assert.deepEqual(result.letters, { restart: 'k' });
  });

  it('two steps, and more hosts of a zone than may be held at once: refused with the figures', async () => {
    const { result, governor, gateway } = await repair({
      hosts: 6,
      zones: 2,
      cap: 2,
      steps: [aRollout('1'), { ...aRollout('1'), name: 'clean' }],
    });

    assert.equal(result.state, 'held');
    assert.match(
      result.reason ?? '',
      /^cap_reached: 3 hosts are in zone=z0, of whose 3 agents 2 may be held at once; raise/,
    );
    assert.deepEqual([governor.asked.length, gateway.submitted.length], [0, 0]);
  });

  it('what no submit or no fresh history can hold, and too many batches: refused with the figures', async () => {
    const long = { ...aStep().script, alertsOnStdin: true };
    const label = 'x'.repeat(4_000);
    const episodes = aRemediation().episodes.map((episode) => ({
      ...episode,
      labels: [...episode.labels, ['note', label] as const],
    }));

    const large = await repair({
      hosts: 500,
      steps: [{ ...aRollout('500'), script: long }],
      input: {
        episodes: episodes as never, // Pairs of a test's own.
        runbook: aRunbook({ steps: [{ ...aRollout('500'), script: long }] }),
      },
    });
    const many = await repair({ hosts: 501, steps: [aRollout('1')] });
    const heavy = await repair({
      hosts: 2_000,
      zones: 3,
      steps: [aRollout('500')],
      input: { groupId: 'x'.repeat(1_400_000) },
    });

    assert.equal(large.result.state, 'held');
    assert.match(
      large.result.reason ?? '',
      /^limit_exceeded: step restart, batch 1: its 500 hosts with their values are \d+ bytes, 1500000 may be/,
    );
    assert.match(
      heavy.result.reason ?? '',
      /^limit_exceeded: 2000 hosts and 1 alerts are \d+ bytes, 1500000 may be carried on/,
    );
    assert.equal(many.result.state, 'held');
    assert.match(
      many.result.reason ?? '',
      /^too_many_batches: step restart: 500 batches may be, and 1 hosts would have none/,
    );
  });

  it('a plan without fault domains, as an older worker makes it: nothing starts', async () => {
    const gateway = quickGateway();

    const { result } = await repairOn(environment, {
      gateway,
      plan: planOf(2),
      input: { policy: { ...aRemediation().policy, guards: someGuards } },
    });

    assert.equal(result.state, 'held');
    assert.match(result.reason ?? '', /older/);
    assert.equal(gateway.submitted.length, 0);
  });

  it('120 batches under a cap of 3: a fresh history after 100 knows what is held, and who waits', async () => {
    const governor = new FakeGovernor();
    governor.hold(other, agents(5), 'zone=other');
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (key.includes('/restart/115/')) governor.free(other);
    };

    const { result, events, batches } = await repair({
      ...{ hosts: 120, cap: 3, steps: [aRollout('1 2 1')], governor, gateway },
    });

    assert.equal(result.state, 'verified');
    assert.equal(result.letters['restart'], 's'.repeat(120));
    assert.equal(
      batches.reduce((sum, size) => sum + size, 0),
      120,
    );
    assert.ok((governor.fullest.get('zone=z0') ?? 0) <= 3);
    assert.ok(events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId);
  });

  it('10,000 hosts in 50 batches under the default cap: at most 1,000 events, and never over it', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async (key) => {
      const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
      await handle.signal(signalNames.taskFinished, { report: gateway.reportOf(key) });
    };

    const { result, events, batches, governor } = await repair({
      ...{ hosts: 10_000, zones: 10, cap: 250, steps: [aRollout('200')], gateway },
    });

    assert.equal(result.state, 'verified');
    assert.equal(batches.length, 50);
    assert.ok(events.length <= 1_000, `${events.length} events`);
    assert.ok([...governor.fullest.values()].every((held) => held <= 250));
  });
});

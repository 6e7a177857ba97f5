import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { signalNames } from '../../contracts/temporal.ts';
import { answer, askedPlan, askedRepair, progressOf } from '../support/asked-repair.ts';
import { anEpisode, aRunbook, aStep, someTargets } from '../support/builders.ts';
import { FakeGovernor } from '../support/fake-governor.ts';
import { aRollout, guardedRepair, numbersOf, quickGateway } from '../support/guarded-repair.ts';
import { planOf, repairOn } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const trial = { canaryOnly: true } as const;
const restarted = ({ gateway }: Awaited<ReturnType<typeof guardedRepair>>): readonly number[] =>
  gateway.submitted.flatMap(({ key, task }) =>
    key.includes('/verify/') ? [] : numbersOf(task.targets),
  );

describe('a repair that tries for a half-open breaker', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof guardedRepair>[1]) => guardedRepair(environment, of);

  it('touches the first canary alone, in every step, and says why the others wait', async () => {
    const steps = [aRollout('3 50%'), { ...aRollout('50%'), name: 'warm-up' }];
    const ended = await repair({ hosts: 10, zones: 3, steps, input: trial });

    assert.deepEqual(restarted(ended), [0, 0]);
    assert.equal(ended.result.state, 'verified');
    assert.deepEqual(ended.result.letters, {
      restart: 'shhhhhhhhh',
      'warm-up': 'shhhhhhhhh',
      verify: 'shhhhhhhhh',
    });
    assert.match(
      ended.result.reason ?? '',
      /^9 of 10 hosts were not touched: the breaker is half open, so one host tries; .*next firing/,
    );
  });

  it('without the breaker the same repair touches every host', async () => {
    const ended = await repair({ hosts: 10, zones: 3, steps: [aRollout('3 50%')] });

    assert.equal(restarted(ended).length, 10);
    assert.equal(ended.result.reason, null);
  });

  it('that fails ends failed, whatever failures the step may have, and waits for nobody', async () => {
    for (const rollout of [
      { maxFailures: 5 },
      { maxFailures: 0, mode: 'pause' },
      { maxFailures: 0, mode: 'continue' },
    ] as const) {
      const ended = await repair({
        ...{ hosts: 10, steps: [aRollout('2 *2', rollout)], input: trial },
        gateway: quickGateway((_, task) => 'f'.repeat(task.targets.length)),
      });

      assert.deepEqual(ended.batches, [1]);
      assert.equal(ended.result.state, 'failed');
    }
  });

  it('that does not help is undone on its own host, and the others are left alone', async () => {
    const { script, timeoutMs, retry } = aStep();
    const rollback = { script, timeoutMs, retry, contract: 'once' as const };
    const gateway = quickGateway((key, task) =>
      (key.includes('/verify/') ? 'f' : 's').repeat(task.targets.length),
    );

    const { result, ...ended } = await guardedRepair(environment, {
      ...{ hosts: 4, steps: [{ ...aRollout('1 *2'), rollback }], gateway },
      input: {
        ...trial,
        runbook: aRunbook({
          steps: [{ ...aRollout('1 *2'), rollback }],
          verify: { probe: { script, timeoutMs }, withinMs: 1 },
        }),
      },
    });

    assert.equal(result.state, 'rolled_back');
    const undone = ended.gateway.submitted.filter(({ key }) => key.includes('/undo-restart/'));
    assert.deepEqual(
      undone.map(({ task }) => numbersOf(task.targets)),
      [[0]],
    );
    assert.deepEqual(result.letters['restart'], 'shhh');
  });

  it('asks people first where its policy does, and then touches one host', async () => {
    const { result, touched } = await askedRepair(environment, {
      ...{ plans: [askedPlan([0, 1, 2])], input: trial },
      during: async (handle) => {
        assert.equal((await progressOf(handle)).steps.length, 0, 'nothing before it is approved');
        await answer(handle, 'approve', { by: 'anna', via: 'api' });
      },
    });

    assert.deepEqual([result.state, touched], ['verified', [0]]);
  });

  it('takes another host where the first canary is held by another repair', async () => {
    const governor = new FakeGovernor();
    governor.hold('remediation:another', ['a00000000000']);

    const ended = await repair({ hosts: 4, steps: [aRollout('2')], input: trial, governor });

    assert.deepEqual(restarted(ended), [1]);
    assert.equal(ended.result.state, 'verified');
  });

  it('is resolved once the alerts of its own host are over, without those of the others', async () => {
    const episodes = [0, 1, 2].map((at) => anEpisode({ id: `f${at}@1`, fingerprint: `f${at}` }));
    const targets = someTargets(3).map((target, at) => ({ ...target, episodes: [at] }));
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      await environment.client.workflow
        .getHandle(key.split('/')[0] ?? '')
        .signal(signalNames.episodeChanged, { resolved: ['f0@1'] });
    };

    const { result } = await repairOn(environment, {
      ...{ gateway, plan: { ...planOf(3), kind: 'planned', targets, resolved: [], skipped: [] } },
      input: {
        ...{ ...trial, episodes },
        runbook: aRunbook({ verify: { probe: null, withinMs: 60_000 } }),
      },
    });

    assert.equal(result.state, 'resolved');
    assert.deepEqual(result.letters, { restart: 'shh' });
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { signalNames } from '../../contracts/temporal.ts';
import { aRemediation, aRunbook } from '../support/builders.ts';
import { aRollout, guardedRepair, numbersOf, quickGateway } from '../support/guarded-repair.ts';
import { ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

/** Letters of the `n`-th batch of the step, and success everywhere else. */
const inBatch =
  (batch: number, letters: string): ScriptedGateway['letters'] =>
  (key, task) =>
    key.includes(`/restart/${batch}/`)
      ? letters.padEnd(task.targets.length, 's').slice(0, task.targets.length)
      : 's'.repeat(task.targets.length);

describe('rollout', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof guardedRepair>[1]) => guardedRepair(environment, of);

  it('1 10% +5 *2 on 40 hosts is 1, 4, 9, 18 and 8, the canary first', async () => {
    const { result, batches, gateway } = await repair({
      hosts: 40,
      zones: 3,
      steps: [aRollout('1 10% +5 *2')],
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batches, [1, 4, 9, 18, 8]);
    const touched = gateway.submitted.flatMap(({ key, task }) =>
      key.includes('/restart/') ? numbersOf(task.targets) : [],
    );
    assert.deepEqual(
      touched.toSorted((left, right) => left - right),
      Array.from({ length: 40 }, (_, at) => at),
    );
    // The second batch of four has no zone more than twice.
    const zones = touched.slice(1, 5).map((host) => host % 3);
    assert.ok([0, 1, 2].every((zone) => zones.filter((each) => each === zone).length <= 2));
  });

  it('a canary that is down: the second batch never starts, and the reason says how many', async () => {
    const { result, batches } = await repair({
      hosts: 10,
      steps: [aRollout('1 3')],
      gateway: quickGateway(inBatch(1, 'x')),
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(batches, [1]);
    assert.equal(result.reason, 'step restart: 1 hosts failed, 0 may');
  });

  it('a canary whose verdict is dropped, or that is slow: unknown or timed out, and no second batch', async () => {
    for (const [letter, atOnce] of [
      ['.', false],
      ['t', true],
    ] as const) {
      const gateway = quickGateway(inBatch(1, letter));
      gateway.endsAtOnce = atOnce;

      const { result, batches } = await repair({ hosts: 4, steps: [aRollout('1 3')], gateway });

      assert.equal(result.state, 'failed');
      assert.deepEqual(batches, [1]);
      assert.match(result.letters['restart'] ?? '', /^(uhhh|thhh)$/);
    }
  });

  it('a gateway that is dead: the canary is unreachable, and no second batch', async () => {
    const gateway = quickGateway();
    gateway.onSubmit = async () => {
      throw ApplicationFailure.retryable('the gateway does not answer', 'upstream_unavailable');
    };
    gateway.onPoll = async () => null;

    const { result, batches } = await repair({ hosts: 4, steps: [aRollout('1 3')], gateway });

    assert.equal(result.state, 'failed');
    assert.deepEqual(batches, [1]);
    assert.deepEqual(result.letters, { restart: 'xhhh' });
  });

  it('maxFailures 0, 3 and 10 % of 50: the batch after which it stops', async () => {
    const stopsAfter = async (maxFailures: number | string, failuresInEach: string) => {
      const { batches, result } = await repair({
        hosts: 50,
        steps: [aRollout('5', { maxFailures })],
        gateway: quickGateway((key, task) =>
          key.includes('/restart/')
            ? failuresInEach.padEnd(task.targets.length, 's')
            : 's'.repeat(task.targets.length),
        ),
      });
      return [batches.length, result.reason];
    };

    assert.deepEqual(await stopsAfter(0, 'f'), [1, 'step restart: 1 hosts failed, 0 may']);
    assert.deepEqual(await stopsAfter(3, 'f'), [4, 'step restart: 4 hosts failed, 3 may']);
    // Two hosts fail in each batch: four are allowed after two batches, six are not.
    assert.deepEqual(await stopsAfter('10%', 'fu'), [3, 'step restart: 6 hosts failed, 5 may']);
  });

  it('mode continue goes on after failures, proves who came through, and ends failed', async () => {
    const { result, batches } = await repair({
      hosts: 6,
      steps: [aRollout('2', { mode: 'continue' })],
      gateway: quickGateway(inBatch(2, 'ff')),
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(batches, [2, 2, 2]);
    assert.equal(result.reason, 'step restart: 2 hosts failed, 0 may');
    assert.deepEqual(result.letters, { restart: 'ssffss', verify: 'sshhss' });
  });

  it('all alerts over in batch 3 of 10: it finishes, the others are skipped, and it is proven', async () => {
    const gateway = quickGateway();
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/3/')) return;
      await environment.client.workflow
        .getHandle(key.split('/')[0] ?? '')
        .signal(signalNames.episodeChanged, {
          resolved: aRemediation().episodes.map(({ id }) => id),
        });
    };

    const { result, batches } = await repair({ hosts: 20, steps: [aRollout('2')], gateway });

    assert.equal(result.state, 'verified');
    assert.deepEqual(batches, [2, 2, 2]);
    assert.deepEqual(result.letters, {
      restart: `${'s'.repeat(6)}${'k'.repeat(14)}`,
      verify: `${'s'.repeat(6)}${'h'.repeat(14)}`,
    });
  });

  it('a soak proves the batch before the next one starts, and each host once', async () => {
    const { result, timers, gateway } = await repair({
      hosts: 6,
      steps: [aRollout('1 2 3', { soakMs: 30_000, pauseBetweenMs: 7_000 })],
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(
      gateway.submitted.map(({ key, task }) => [
        key.split('/').slice(1).join('/'),
        task.targets.length,
      ]),
      [
        ['restart/1/1', 1],
        ['verify/1/1', 1],
        ['restart/2/1', 2],
        ['verify/2/1', 2],
        ['restart/3/1', 3],
        ['verify/3/1', 3],
      ],
    );
    assert.deepEqual(timers, [30_000, 7_000, 30_000, 7_000]);
  });

  it('a canary that exits with 0 but does not pass its proof: no second batch', async () => {
    const { result, batches } = await repair({
      hosts: 6,
      steps: [aRollout('1 5', { soakMs: 30_000 })],
      gateway: quickGateway((key, task) =>
        (key.includes('/verify/') ? 'f' : 's').repeat(task.targets.length),
      ),
      input: {
        runbook: aRunbook({
          steps: [aRollout('1 5', { soakMs: 30_000 })],
          verify: { ...aRunbook().verify, withinMs: 10_000 },
        }),
      },
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(batches, [1]);
    assert.equal(result.reason, 'step restart: 1 hosts failed, 0 may');
  });

  it('a further batch costs at most 18 events, and one batch at most 60 in all', async () => {
    const eventsOf = async (hosts: number) => {
      const gateway = new ScriptedGateway();
      gateway.onSubmit = async (key) => {
        const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
        await handle.signal(signalNames.taskFinished, { report: gateway.reportOf(key) });
      };
      const { events, result } = await repair({ hosts, steps: [aRollout('10')], gateway });
      assert.equal(result.state, 'verified');
      return events.length;
    };

    const one = await eventsOf(10);
    const eleven = await eventsOf(110);

    assert.ok(one <= 60, `${one} events for one batch`);
    assert.ok((eleven - one) / 10 <= 18, `${(eleven - one) / 10} events for a further batch`);
  });
});

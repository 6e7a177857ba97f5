import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { FrozenStep, FrozenUndo } from '../../contracts/frozen.ts';
import { limits } from '../../contracts/limits.ts';
import {
  queryNames,
  type RemediationProgress,
  signalNames,
  updateNames,
} from '../../contracts/temporal.ts';
import { anEpisode, aRunbook, aScript, aStep } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { aRollout, guardedRepair, numbersOf, quickGateway } from '../support/guarded-repair.ts';
import { planOf, repairOn, type ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const anUndo = (over: Partial<FrozenUndo> = {}): FrozenUndo => ({
  script: aScript({ content: 'undo\n' }),
  timeoutMs: 30_000,
  contract: 'repeatable',
  retry: { attempts: 1, backoffMs: 10_000, on: [] },
  ...over,
});
const undoable = (over: Partial<FrozenStep> = {}) => aStep({ rollback: anUndo(), ...over });
const quickProof = { probe: { script: aScript(), timeoutMs: 10_000 }, withinMs: 1 };
/** Letters of a task by the step in its key; what is not named succeeds. */
const lettersOf = (of: Readonly<Record<string, string>>) =>
  quickGateway((key, task) => {
    const letters = of[key.split('/')[1] ?? ''] ?? 's'.repeat(task.targets.length);
    return letters.slice(0, task.targets.length);
  });
const keysOf = (gateway: ScriptedGateway) =>
  gateway.submitted.map(({ key }) => key.split('/').slice(1).join('/'));
const hostsOf = (gateway: ScriptedGateway, part: string) =>
  gateway.submitted.flatMap(({ key, task }) =>
    key.includes(part) ? [numbersOf(task.targets)] : [],
  );
const act = (handle: WorkflowHandle, action: string) =>
  handle.executeUpdate(action, { args: [{ by: 'anna', reason: 'to look' }] });
const until = (handle: WorkflowHandle, check: (progress: RemediationProgress) => void) =>
  eventually(async () => check(await handle.query<RemediationProgress>(queryNames.progress)));

describe('rollback', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (
    gateway: ScriptedGateway,
    of: {
      readonly steps?: readonly FrozenStep[];
      readonly hosts?: number;
      readonly during?: (handle: WorkflowHandle) => Promise<void>;
    } = {},
  ) =>
    repairOn(environment, {
      gateway,
      plan: planOf(of.hosts ?? 2),
      input: { runbook: aRunbook({ steps: of.steps ?? [undoable()], verify: quickProof }) },
      ...(of.during === undefined ? {} : { during: of.during }),
    });

  /** How each host stands, and by which step if it is not the last. */
  const standings = async (remediationId: string): Promise<readonly string[]> => {
    const handle = environment.client.workflow.getHandle(remediationId);
    const { targets } = await handle.query<RemediationProgress>(queryNames.progress);
    return targets.map(({ letter, step }) =>
      step === undefined ? letter : `${letter} of ${step}`,
    );
  };

  it('exit 0 without effect: the probe fails, the step is undone there, and the repair ends rolled_back', async () => {
    const gateway = lettersOf({ verify: 'ff' });

    const { result, recorded, events } = await repair(gateway);

    assert.equal(result.state, 'rolled_back');
    assert.equal(result.reason, 'verification: the probe fails on 2 hosts; undone on 2 hosts');
    assert.deepEqual(result.letters, { restart: 'ss', verify: 'ff', 'undo-restart': 'ss' });
    assert.equal(recorded.length, 1);
    const [step] = gateway.submitted;
    const undo = gateway.submitted.at(-1);
    assert.match(undo?.key ?? '', /\/undo-restart\/1\/1$/);
    assert.equal(undo?.task.action.content, 'undo\n');
    // An agent on which the step still runs refuses to undo it.
    assert.equal(undo?.task.slot, step?.task.slot);
    assert.ok(events.length <= 70, `${events.length} events`);
  });

  it('without a way back the repair fails as before, and nothing more is submitted', async () => {
    const gateway = lettersOf({ verify: 'ff' });

    const { result } = await repair(gateway, { steps: [aStep()] });

    assert.equal(result.state, 'failed');
    assert.deepEqual(Object.keys(result.letters), ['restart', 'verify']);
    assert.deepEqual(await standings(result.remediationId), ['f of verify', 'f of verify']);
  });

  it('is told host by host while it runs, and which ones were left half-way', async () => {
    const gateway = lettersOf({ drain: 'sss', restart: 'f' });
    const seen: (readonly string[])[] = [];
    gateway.onSubmit = async (key) => {
      seen.push(await standings(key.split('/')[0] ?? ''));
    };

    const { result } = await repair(gateway, {
      ...{ hosts: 3, steps: [aStep({ name: 'drain' }), aRollout('1')] },
    });

    assert.equal(result.state, 'failed');
    const drained = 's of drain';
    assert.deepEqual(seen, [
      ['.', '.', '.'],
      ['.', drained, drained],
    ]);
    assert.deepEqual(await standings(result.remediationId), ['f', drained, drained]);
  });

  it('steps are undone in reverse, each only where it may have run', async () => {
    // Host 3 was never reached by the first step; 1 failed the first; 2 was not reached by the second.
    const gateway = lettersOf({ drain: 'sfsx', restart: 'sx' });
    const steps = [
      undoable({ name: 'drain', rollout: { ...aStep().rollout, maxFailures: 4 } }),
      undoable(),
    ];

    const { result } = await repair(gateway, { steps, hosts: 4 });

    assert.equal(result.state, 'rolled_back');
    assert.deepEqual(keysOf(gateway), [
      'drain/1/1',
      'restart/1/1',
      'undo-restart/1/1',
      'undo-drain/1/1',
    ]);
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[0]]);
    assert.deepEqual(hostsOf(gateway, '/undo-drain/'), [[0, 1, 2]]);
  });

  for (const { letter, isUndone } of [
    ...[...'sftu'].map((letter) => ({ letter, isUndone: true })),
    ...[...'xern'].map((letter) => ({ letter, isUndone: false })),
  ]) {
    it(`a host with the letter ${letter} is ${isUndone ? 'undone' : 'not touched'}`, async () => {
      // The second host fails in any case, so that the repair does.
      const gateway = lettersOf({ restart: `${letter}f` });

      await repair(gateway);

      assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [isUndone ? [0, 1] : [1]]);
    });
  }

  it('a job that was cancelled at its task is undone where it had begun', async () => {
    const gateway = lettersOf({ restart: 'cc' });
    const { reportOf } = gateway;
    gateway.reportOf = (key) => ({
      ...reportOf.call(gateway, key),
      ...(key.includes('/restart/') ? { begun: [1] } : {}),
    });

    const { result } = await repair(gateway);

    assert.equal(result.state, 'rolled_back');
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[1]]);
  });

  it('a canary that fails is undone, and hosts of batches that never started are not touched', async () => {
    const gateway = quickGateway((key, task) =>
      (key.includes('/restart/2/') ? 'f' : 's').repeat(task.targets.length),
    );
    const steps = [{ ...aRollout('1 1 2'), rollback: anUndo() }];

    const { result, governor } = await guardedRepair(environment, {
      hosts: 4,
      steps,
      gateway,
      input: { runbook: aRunbook({ steps }) },
    });

    assert.equal(result.state, 'rolled_back');
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[0, 1]]);
    // Held since they were touched: nobody was asked for them again.
    assert.equal(governor.asked.length, 2);
  });

  it('hosts that are proven stay as they are: they are free, and another repair may have them', async () => {
    const gateway = quickGateway((key, task) =>
      (key.includes('/verify/3/') ? 'f' : 's').repeat(task.targets.length),
    );
    const steps = [{ ...aRollout('1'), rollback: anUndo() }];

    const { result } = await guardedRepair(environment, {
      hosts: 3,
      cap: 1,
      steps,
      gateway,
      input: { runbook: aRunbook({ steps, verify: quickProof }) },
    });

    assert.equal(result.state, 'rolled_back');
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[2]]);
  });

  it('an alert that is over does not keep its host from being undone', async () => {
    const gateway = lettersOf({ verify: 'ff' });

    const { result } = await repair(gateway, {
      during: (handle) => {
        gateway.onSubmit = async (key) => {
          if (!key.includes('/verify/')) return;
          await handle.signal(signalNames.episodeChanged, { resolved: [anEpisode().id] });
        };
        return Promise.resolve();
      },
    });

    assert.equal(result.letters['undo-restart'], 'ss');
  });

  it('an undo that fails does not stop the others; the repair ends failed with the figures', async () => {
    const gateway = lettersOf({ verify: 'fff', 'undo-restart': 'fss' });
    const steps = [undoable({ name: 'drain' }), undoable()];

    const { result } = await repair(gateway, { steps, hosts: 3 });

    assert.equal(result.state, 'failed');
    assert.equal(
      result.reason,
      'verification: the probe fails on 3 hosts; undone on 2 of 3 hosts; the others are as the repair and its undo left them',
    );
    // What came before is not undone below a step that still stands.
    assert.deepEqual(hostsOf(gateway, '/undo-drain/'), [[1, 2]]);
  });

  it('only hosts whose undo failed are tried again, by class', async () => {
    const tries = ['fx', 's'];
    const gateway = quickGateway((key, task) => {
      if (key.includes('/verify/')) return 'ff';
      if (!key.includes('/undo-')) return 's'.repeat(task.targets.length);
      return (key.endsWith('/1') ? tries[0] : tries[1]) ?? '';
    });
    const rollback = anUndo({ retry: { attempts: 3, backoffMs: 1_000, on: ['unreachable'] } });

    const { result } = await repair(gateway, { steps: [undoable({ rollback })] });

    assert.equal(result.letters['undo-restart'], 'fs');
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[0, 1], [1]]);
  });

  it('a repair that is called off undoes nothing and says so', async () => {
    const gateway = lettersOf({});

    const { result } = await repair(gateway, {
      steps: [undoable({ rollout: { expression: '1', maxFailures: 0, soakMs: 60_000 } })],
      during: async (handle) => {
        await until(handle, ({ steps }) => assert.equal(steps[0]?.batches.length, 1));
        await act(handle, updateNames.cancel);
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.equal(result.reason, 'to look; nothing was undone');
    assert.deepEqual(hostsOf(gateway, '/undo-'), []);
  });

  it('it can be paused but not called off, and shows its phase', async () => {
    const gateway = lettersOf({ verify: 'ff' });
    gateway.onSubmit = async (key) => {
      // The pause comes while the last step is undone; the one before waits for it.
      if (!key.includes('/undo-restart/')) return;
      const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
      await act(handle, updateNames.pause);
    };
    const steps = [undoable({ name: 'drain' }), undoable()];
    let seen: string | null = null;

    const { result } = await repair(gateway, {
      steps,
      during: async (handle) => {
        await until(handle, ({ state, reason }) => {
          assert.equal(state, 'rolling_back');
          assert.match(reason ?? '', /^paused: to look \(anna\)/);
          seen = reason;
        });
        await assert.rejects(act(handle, updateNames.cancel));
        assert.deepEqual(hostsOf(gateway, '/undo-drain/'), []);
        await act(handle, updateNames.resume);
      },
    });

    assert.match(seen ?? '', /waits for resume/);
    assert.equal(result.state, 'rolled_back');
    assert.deepEqual(hostsOf(gateway, '/undo-drain/'), [[0, 1]]);
  });

  it('a policy that is stopped holds it up; hosts that the stop kept from starting are undone after it', async () => {
    const stop = { scope: { policy: 'restart-web' }, reason: 'wait', by: 'ada', at: 1 };
    const gateway = quickGateway((key, task) => {
      if (key.includes('/verify/')) return 'ff';
      return (key.includes('/undo-restart/1/') ? 'se' : 'ss').slice(0, task.targets.length);
    });
    gateway.onSubmit = async (key) => {
      if (!key.includes('/undo-restart/1/')) return;
      const handle = environment.client.workflow.getHandle(key.split('/')[0] ?? '');
      await handle.signal(signalNames.stopChanged, { stop });
    };

    const { result } = await repair(gateway, {
      during: async (handle) => {
        await until(handle, ({ state }) => assert.equal(state, 'paused'));
        await assert.rejects(act(handle, updateNames.cancel));
        await handle.signal(signalNames.stopChanged, { stop: null });
      },
    });

    assert.equal(result.state, 'rolled_back');
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[0, 1], [1]]);
    assert.equal(result.letters['undo-restart'], 'ss');
  });

  it('a long one goes on in a fresh history where it was', async () => {
    const hosts = 4;
    const gateway = lettersOf({ verify: 'ffff', 'undo-restart': 'sfss' });
    const steps = [undoable({ name: 'drain' }), undoable()];
    const letters = { drain: 'ssss', restart: 'ssxs', verify: 'ffff', 'undo-restart': 's' };
    const carried = {
      targets: (planOf(hosts) as { targets: unknown }).targets,
      resolved: [],
      startedAtMs: 1,
      steps: [
        { name: 'drain', letters: letters.drain },
        { name: 'restart', letters: letters.restart, began: [2] },
        { name: 'verify', letters: letters.verify },
        { name: 'undo-restart', letters: 'shhh' },
      ],
      next: { step: 0, batch: 0 },
      rollback: { why: 'it failed', step: 2, batch: limits.remediationBatchesMax + 1 },
    };

    const { result } = await repairOn(environment, {
      gateway,
      input: { runbook: aRunbook({ steps, verify: quickProof }), carried },
    });

    assert.deepEqual(keysOf(gateway), [
      `undo-restart/${limits.remediationBatchesMax + 1}/1`,
      'undo-drain/1/1',
    ]);
    assert.deepEqual(hostsOf(gateway, '/undo-restart/'), [[1, 2, 3]]);
    assert.deepEqual(hostsOf(gateway, '/undo-drain/'), [[0, 1, 3]]);
    assert.equal(result.state, 'failed');
    assert.match(result.reason ?? '', /^it failed; undone on 3 of 4 hosts/);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { TaskReport } from '../../contracts/task.ts';
import { type Plan, signalNames } from '../../contracts/temporal.ts';
import { aRemediation, aReport, aRunbook, aStep, someTargets } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { planOf, repairOn, ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

describe('remediation', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const callback = (id: string, report: TaskReport) =>
    environment.client.workflow.getHandle(id).signal(signalNames.taskFinished, { report });

  /** The history of a repair stays within its bar (design 8), also when a callback or polls are lost. */
  const repair = async (of: Parameters<typeof repairOn>[1] & { readonly eventsMax?: number }) => {
    const ended = await repairOn(environment, of);
    assert.ok(ended.events.length <= (of.eventsMax ?? 60), `${ended.events.length} events`);
    return ended;
  };

  it('a repair whose callbacks arrive ends verified within 60 events', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async (key) => {
      await callback(key.split('/')[0] ?? '', gateway.reportOf(key));
    };

    const { result, recorded, timers } = await repair({ gateway });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters, { restart: 'ss', verify: 'ss' });
    assert.equal(gateway.polls, 0);
    assert.equal(recorded.length, 1);
    assert.deepEqual(timers, []);
  });

  it('a callback that comes before submit returns is kept, and duplicates and late ones change nothing', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async (key) => {
      const id = key.split('/')[0] ?? '';
      const report = gateway.reportOf(key);
      await callback(id, report);
      await callback(id, report);
      const [first] = gateway.submitted;
      // A late repeat of the first task's callback, now saying that it failed.
      if (first !== undefined && first.key !== key) {
        await callback(id, aReport(first.key, first.task, 'ff'));
      }
    };

    const { result, timers } = await repair({ gateway });

    assert.equal(result.state, 'verified');
    assert.equal(gateway.submitted.length, 2);
    assert.equal(gateway.polls, 0);
    assert.deepEqual(timers, []);
  });

  it('a lost callback is found by the poll, after max(15 s, timeout ÷ 4)', async () => {
    const gateway = new ScriptedGateway();

    const { result, timers } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ timeoutMs: 120_000 })] }) },
    });

    assert.equal(result.state, 'verified');
    assert.equal(gateway.polls, 2);
    assert.deepEqual(timers, [30_000, 15_000]);
  });

  it('callback and poll lost: one last poll at the deadline, then unknown, and nothing is repeated', async () => {
    const gateway = new ScriptedGateway();
    gateway.letters = (_, task) => '.'.repeat(task.targets.length);

    const { result, timers } = await repair({ gateway });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'uu' });
    assert.equal(gateway.submitted.length, 1);
    // 60 s timeout + 60 s notAfter + 60 s grace, in waits that grow threefold.
    // The last one is what is left of the deadline, of which a busy box has used some.
    assert.deepEqual(
      timers.map((ms) => 5 * Math.round(ms / 5_000)),
      [15, 45, 120],
    );
    assert.equal(gateway.polls, timers.length);
  });

  it('a gateway that answers no poll is asked once more at the deadline, then every host is unknown', async () => {
    const gateway = new ScriptedGateway();
    gateway.onPoll = async () => {
      throw ApplicationFailure.retryable('the gateway does not answer', 'upstream_unavailable');
    };

    const { result, timers } = await repair({ gateway, eventsMax: 70 });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'uu' });
    assert.match(result.reason ?? '', /2 hosts failed/);
    assert.equal(gateway.submitted.length, 1);
    assert.deepEqual(Math.round((timers[0] ?? 0) / 1_000), 15);
    assert.ok(gateway.polls > timers.length, `${gateway.polls} polls`);
  });

  it('a submit that nobody answered and no poll finds is called unreachable: nothing ran', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async () => {
      throw ApplicationFailure.retryable('the gateway does not answer', 'upstream_unavailable');
    };
    gateway.onPoll = async () => null;

    const { result, timers } = await repair({ gateway });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'xx' });
    assert.equal(gateway.polls, 1);
    assert.deepEqual(timers, []);
  });

  it('a submit that nobody answered but that the gateway took is adopted by one poll', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/')) return;
      throw ApplicationFailure.retryable('the answer was lost', 'upstream_unavailable');
    };

    const { result } = await repair({ gateway });

    assert.equal(result.state, 'verified');
    assert.equal(gateway.submitted.length, 2);
  });

  it('a submit that is refused in the end, but that an earlier try had placed, is adopted', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/')) return;
      throw ApplicationFailure.nonRetryable('the token is not known', 'unauthenticated');
    };

    const { result } = await repair({ gateway });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters['restart'], 'ss');
  });

  it('a submit that is refused and that the gateway does not know is refused on every host', async () => {
    const gateway = new ScriptedGateway();
    gateway.onSubmit = async () => {
      throw ApplicationFailure.nonRetryable('the task has flaws', 'invalid_payload');
    };
    gateway.onPoll = async () => null;

    const { result } = await repair({ gateway });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'rr' });
    assert.equal(gateway.submitted.length, 1);
  });

  it('a gateway that knows only a part of the task is given it again, as one it had before', async () => {
    const gateway = new ScriptedGateway();
    let isWhole = false;
    const again: string[] = [];
    gateway.onAgain = (key) => {
      again.push(key);
      isWhole = true;
    };
    gateway.onPoll = async (key) => {
      const [submit] = gateway.submitted;
      if (submit === undefined || isWhole) return gateway.reportOf(key);
      return { ...aReport(key, submit.task, 's.'), partial: true };
    };

    const { result } = await repair({ gateway, eventsMax: 90 });

    assert.equal(result.state, 'verified');
    assert.equal(again.length, 1);
  });

  it('cancelled, and then forgotten by the gateway: it is given again only once nothing may start', async () => {
    const gateway = new ScriptedGateway();
    const againAtMs: number[] = [];
    gateway.onAgain = async () => {
      againAtMs.push(await environment.currentTimeMs());
      gateway.letters = () => 'ce';
    };
    gateway.letters = () => '..';
    gateway.onPoll = async (key) => (againAtMs.length > 0 ? gateway.reportOf(key) : null);

    const { result } = await repair({
      gateway,
      eventsMax: 90,
      during: async (handle) => {
        await untilSubmitted(gateway);
        await handle.executeUpdate('cancel', { args: [{ by: 'anna', reason: 'wrong hosts' }] });
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.deepEqual(result.letters, { restart: 'ce' });
    assert.equal(againAtMs.length, 1);
    const [first] = gateway.submitted;
    assert.ok(
      (againAtMs[0] ?? 0) > (first?.task.notAfter ?? 0),
      'given again while it could start',
    );
    assert.equal(gateway.cancelled.length, 2);
  });

  it('a gateway that forgot the task is given the same key again', async () => {
    const gateway = new ScriptedGateway();
    let submits = 0;
    gateway.onSubmit = async () => {
      submits += 1;
    };
    let forgotten = true;
    gateway.onPoll = async (key) => {
      if (!forgotten) return gateway.reportOf(key);
      forgotten = false;
      return null;
    };

    const { result } = await repair({ gateway, eventsMax: 90 });

    assert.equal(result.state, 'verified');
    assert.equal(submits, 3);
    assert.equal(gateway.submitted.length, 2);
  });

  it('a gateway that forgot the task when nothing may start any more is asked again for what its agents know', async () => {
    const gateway = new ScriptedGateway();
    const submits: string[] = [];
    gateway.onSubmit = async (key) => {
      submits.push(key);
    };
    gateway.onPoll = async (key) => {
      const [submit] = gateway.submitted;
      if (submit === undefined || key !== submit.key) return gateway.reportOf(key);
      // The second poll comes 60 s after the submit, when the job may queue no longer.
      if (gateway.polls === 1) return aReport(key, submit.task, '..');
      return gateway.polls === 2 ? null : gateway.reportOf(key);
    };

    const { result } = await repair({ gateway, eventsMax: 90 });

    assert.equal(result.state, 'verified');
    assert.equal(submits.filter((key) => key.includes('/restart/')).length, 2);
  });

  it('three attempts with back-off go to the failed hosts only', async () => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    const answers: Record<string, string> = { '1': 'sffs', '2': 'fs', '3': 's' };
    gateway.letters = (key, task) => {
      const [, step, , attempt = ''] = key.split('/');
      return step === 'restart' ? (answers[attempt] ?? '') : 's'.repeat(task.targets.length);
    };
    const retry = { attempts: 3, backoffMs: 10_000, on: ['failed' as const] };

    const { result, timers } = await repair({
      gateway,
      plan: planOf(4),
      input: { runbook: aRunbook({ steps: [aStep({ retry })] }) },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(
      gateway.submitted.map(({ key, task }) => [
        key.split('/').slice(1).join('/'),
        task.targets.map(({ agentId }) => Number(agentId.slice(1))),
      ]),
      [
        ['restart/1/1', [0, 1, 2, 3]],
        ['restart/1/2', [1, 2]],
        ['restart/1/3', [1]],
        ['verify/1/1', [0, 1, 2, 3]],
      ],
    );
    assert.deepEqual(timers, [10_000, 20_000]);
    assert.deepEqual(result.letters['restart'], 'pspp');
  });

  it('too many failures in the first batch: the second never starts', async () => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    gateway.letters = () => 'f';
    const rollout = { batchSize: 1, maxFailures: 0, soakMs: 30_000 };

    const { result, timers } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ rollout })] }) },
    });

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'fh' });
    assert.equal(gateway.submitted.length, 1);
    assert.deepEqual(timers, []);
  });

  it('unknown is not tried again unless the step says so', async () => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    gateway.letters = () => 'uu';
    const retry = { attempts: 3, backoffMs: 10_000, on: ['failed' as const, 'timed_out' as const] };

    const { result } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ retry })] }) },
    });

    assert.equal(result.state, 'failed');
    assert.equal(gateway.submitted.length, 1);
  });

  it('a probe that never passes ends failed when its time is over', async () => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    gateway.letters = (key, task) => {
      if (!key.includes('/verify/')) return 'ss';
      return task.targets.length === 2 ? 'sf' : 'f';
    };

    const { result, timers } = await repair({
      gateway,
      input: { runbook: aRunbook({ verify: { ...aRunbook().verify, withinMs: 15_000 } }) },
    });

    assert.equal(result.state, 'failed');
    assert.match(result.reason ?? '', /probe fails on 1 hosts/);
    assert.deepEqual(
      timers.map((ms) => Math.round(ms / 1_000)),
      [5, 10],
    );
    // Only the host that did not pass is probed again.
    assert.deepEqual(
      gateway.submitted.slice(2).map(({ task }) => task.targets.length),
      [1, 1],
    );
  });

  it('without a probe the sender’s word ends the run resolved, and its silence ends it failed', async () => {
    const verify = { probe: null, withinMs: 120_000 };
    const told = new ScriptedGateway();
    told.endsAtOnce = true;
    const heard = await repair({
      gateway: told,
      input: {
        runbook: aRunbook({ verify }),
        policy: { ...aRemediation().policy, onResolved: 'continue' },
      },
      during: (handle) =>
        handle.signal(signalNames.episodeChanged, {
          resolved: aRemediation().episodes.map(({ id }) => id),
        }),
    });
    assert.equal(heard.result.state, 'resolved');

    const silent = new ScriptedGateway();
    silent.endsAtOnce = true;
    const unheard = await repair({ gateway: silent, input: { runbook: aRunbook({ verify }) } });
    assert.equal(unheard.result.state, 'failed');
    assert.deepEqual(unheard.timers, [120_000]);
  });

  it('resolved before the first submit: nothing starts', async () => {
    const gateway = new ScriptedGateway();
    const plan: Plan = {
      kind: 'planned',
      targets: someTargets(2),
      resolved: [aRemediation().episodes[0]?.id ?? ''],
      skipped: [],
    };

    const { result, recorded, timers } = await repair({ gateway, plan });

    assert.equal(result.state, 'superseded');
    assert.equal(gateway.submitted.length, 0);
    assert.equal(recorded.length, 1);
    assert.deepEqual(timers, []);
  });

  it('resolved while the first batch runs: it finishes, the second is skipped', async () => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    gateway.onSubmit = async (key) => {
      if (!key.includes('/restart/1/')) return;
      await environment.client.workflow
        .getHandle(key.split('/')[0] ?? '')
        .signal(signalNames.episodeChanged, {
          resolved: aRemediation().episodes.map(({ id }) => id),
        });
    };
    const rollout = { batchSize: 1, maxFailures: 0, soakMs: 0 };

    const { result } = await repair({
      gateway,
      input: { runbook: aRunbook({ steps: [aStep({ rollout })] }) },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters['restart'], 'sk');
  });

  it('a cancel in mid-batch is passed on once, and the run ends with every host’s letter', async () => {
    const gateway = new ScriptedGateway();
    gateway.letters = () => (gateway.cancelled.length > 0 ? 'scu' : '...');
    const waiting = async (handle: WorkflowHandle) => {
      await untilSubmitted(gateway);
      await handle.executeUpdate('cancel', { args: [{ by: 'anna', reason: 'wrong hosts' }] });
    };

    const { result, timers } = await repair({ gateway, plan: planOf(3), during: waiting });

    assert.equal(result.state, 'cancelled');
    // The wait for the batch, where the cancel did not come before it, and the one after the cancel.
    assert.ok(timers.length === 1 || timers.length === 2, `${timers.length} timers`);
    assert.ok(timers.every((ms) => Math.round(ms / 1_000) === 15));
    assert.equal(result.reason, 'wrong hosts');
    assert.deepEqual(result.letters, { restart: 'scu' });
    assert.deepEqual(gateway.cancelled.length, 1);
  });

  it('Temporal’s own cancel takes the same path', async () => {
    const gateway = new ScriptedGateway();
    gateway.letters = () => (gateway.cancelled.length > 0 ? 'cc' : '..');

    const { result } = await repair({
      gateway,
      during: async (handle) => {
        await untilSubmitted(gateway);
        await handle.cancel();
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.deepEqual(result.letters, { restart: 'cc' });
  });

  it('a plan that is refused ends held with its reason, and nothing is submitted', async () => {
    const gateway = new ScriptedGateway();
    const plan: Plan = { kind: 'held', reason: 'no_target', detail: 'no agent has hostname web1' };

    const { result } = await repair({ gateway, plan });

    assert.equal(result.state, 'held');
    assert.match(result.reason ?? '', /no_target: no agent has hostname web1/);
    assert.equal(gateway.submitted.length, 0);
  });
});

async function untilSubmitted(gateway: ScriptedGateway): Promise<void> {
  await eventually(() => assert.ok(gateway.submitted.length > 0));
}

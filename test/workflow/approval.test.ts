import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { signalNames } from '../../contracts/temporal.ts';
import {
  answer,
  askedPlan,
  askedRepair,
  planDigest,
  progressOf,
  refusalOf,
  untilAsked,
} from '../support/asked-repair.ts';
import { aRemediation, aRunbook } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { detailsOf } from '../support/flap-story.ts';
import { aRollout } from '../support/guarded-repair.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const anna = { by: 'anna', via: 'api' };
const bob = { by: 'bob', via: 'api' };
const dayMs = 86_400_000;

describe('a repair that asks before it acts', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (of: Parameters<typeof askedRepair>[1]) => askedRepair(environment, of);
  const resolveAll = (handle: WorkflowHandle) =>
    handle.signal(signalNames.episodeChanged, {
      resolved: aRemediation().episodes.map(({ id }) => id),
    });

  it('says whom it waits for, until when and how to answer, and touches nobody until then', async () => {
    let details = '';

    const { result, touched, id, plans } = await repair({
      during: async (handle) => {
        const { reason, approval, outlook } = await progressOf(handle);
        assert.match(reason ?? '', /^waits for 1 approval until \w{3} \d\d:\d\d UTC$/);
        assert.deepEqual([approval?.hosts, approval?.digest], [2, planDigest]);
        assert.deepEqual(outlook?.steps, [{ name: 'restart', batches: [1, 1] }]);
        details = await detailsOf(environment, handle.workflowId);
        await environment.sleep('3 hours');
        assert.equal((await progressOf(handle)).steps.length, 0);
        assert.equal(await answer(handle, 'approve', anna), '1 of 1 approvals');
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual([touched, plans], [[0, 1], 2]);
    assert.match(details, /waits for 1 approval until/);
    assert.ok(
      details.includes(`--workflow-id '${id}' --name approve --input '{"by": "your name"}'`),
    );
    assert.ok(details.includes(`fixpoint remediation approve '${id}'`));
  });

  it('three days later it is still approved, in a history of at most 60 events', async () => {
    const { result, events } = await repair({
      approval: { expiresMs: 4 * dayMs },
      input: { runbook: aRunbook({ steps: [aRollout('2')] }) },
      during: async (handle) => {
        await environment.sleep('3 days');
        await answer(handle, 'approve', anna);
      },
    });

    assert.equal(result.state, 'verified');
    assert.ok(events.length <= 60, `${events.length} events`);
    const timer = events.find((event) => event.timerStartedEventAttributes);
    const summary = String(timer?.userMetadata?.summary?.data);
    assert.match(summary, /approval ends \w{3} \d\d:\d\d UTC/);
  });

  it('nobody answers: it ends expired at its time, says how many approved, and nothing was done', async () => {
    const { result, touched, recorded, timers } = await repair({
      approval: { approvers: 2 },
      during: async (handle) => {
        await answer(handle, 'approve', anna);
      },
    });

    assert.equal(result.state, 'expired');
    assert.equal(
      result.reason,
      'expired: 1 of 2 approvals came within 1d; a firing after the cooldown asks again',
    );
    assert.deepEqual([touched, recorded], [[], [result]]);
    assert.deepEqual(timers, [dayMs]);
  });

  it('two approvers are two persons: a double click is answered and changes nothing', async () => {
    const answers: string[] = [];

    const { result, events } = await repair({
      approval: { approvers: 2 },
      during: async (handle) => {
        answers.push(await answer(handle, 'approve', anna));
        answers.push(await answer(handle, 'approve', { by: ' Anna' }));
        const { state, reason, decisions } = await progressOf(handle);
        assert.equal(state, 'awaiting_approval');
        assert.match(reason ?? '', /^waits for 1 more approval until .*; approved by anna$/);
        assert.equal(decisions?.length, 1);
        answers.push(await answer(handle, 'approve', bob));
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(answers, [
      '1 of 2 approvals',
      ' Anna has approved already: 1 of 2',
      '2 of 2 approvals',
    ]);
    const accepted = events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes);
    assert.equal(accepted.length, 3);
  });

  it('a double click after it began is answered as well', async () => {
    let word = '';
    let handleOf: WorkflowHandle | undefined;

    const { result } = await repair({
      activities: {
        admitBatch: async ({ hosts }) => {
          if (handleOf !== undefined && word === '') {
            word = await answer(handleOf, 'approve', anna);
          }
          return {
            letters: 'g'.repeat(hosts.length),
            refusals: [],
            services: [],
            of: hosts.map(() => -1),
          };
        },
      },
      during: async (handle) => {
        handleOf = handle;
        await answer(handle, 'approve', anna);
      },
    });

    assert.equal(result.state, 'verified');
    assert.equal(word, 'anna has approved already: 1 of 1');
  });

  it('one’s own change: who started it, or changed its policy, is refused, and another is not', async () => {
    const refusals: string[] = [];

    const { result } = await repair({
      approval: { notBy: ['carl'] },
      input: { startedBy: 'anna' },
      during: async (handle) => {
        const { reason } = await progressOf(handle);
        assert.match(reason ?? '', /^waits for 1 approval, not by anna or carl, until/);
        refusals.push(await refusalOf(answer(handle, 'approve', anna)));
        refusals.push(await refusalOf(answer(handle, 'approve', { by: 'ANNA' })));
        refusals.push(await refusalOf(answer(handle, 'approve', { by: 'carl' })));
        await answer(handle, 'approve', bob);
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual(refusals, [
      'conflict: anna started this repair: somebody else must approve it',
      'conflict: ANNA started this repair: somebody else must approve it',
      'conflict: carl changed what this repair does (approval.notBy): somebody else must approve it',
    ]);
  });

  it('rejected: it ends cancelled with who and why, and nothing was done', async () => {
    const { result, touched } = await repair({
      input: { startedBy: 'anna' },
      during: async (handle) => {
        assert.match(await refusalOf(answer(handle, 'reject', anna)), /^conflict: say who .* why/);
        await answer(handle, 'reject', { ...anna, reason: 'wrong hosts' });
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.equal(result.reason, 'rejected by anna: wrong hosts');
    assert.deepEqual(touched, []);
  });

  it('approved and cancelled at once: the cancel counts, whichever came first', async () => {
    for (const order of ['approve first', 'cancel first']) {
      const both = Promise.withResolvers<void>();

      const { result, touched } = await repair({
        // It is planned once more before anything starts.
        onPlan: (made) => (made === 1 ? Promise.resolve() : both.promise),
        during: async (handle) => {
          const cancel = () =>
            handle.executeUpdate('cancel', { args: [{ by: 'bob', reason: 'no' }] });
          const approve = () => answer(handle, 'approve', anna);
          const acts = order === 'approve first' ? [approve, cancel] : [cancel, approve];
          await Promise.allSettled(acts.map((act) => act()));
          both.resolve();
        },
      });

      assert.equal(result.state, 'cancelled', order);
      assert.deepEqual(touched, [], order);
    }
  });

  it('an approval for another plan is refused: what was looked at is not what would be done', async () => {
    const refusals: string[] = [];

    const { result } = await repair({
      during: async (handle) => {
        refusals.push(
          await refusalOf(
            answer(handle, 'approve', { ...anna, digest: `sha256:${'cd'.repeat(32)}` }),
          ),
          await refusalOf(answer(handle, 'approve', { ...anna, digest: 'abab' })),
        );
        await answer(handle, 'approve', { ...anna, digest: 'abababababab' });
      },
    });

    assert.equal(result.state, 'verified');
    assert.equal(
      refusals[0],
      'plan_stale: that approval is for another plan: this one is abababababab; look at it again',
    );
    assert.match(refusals[1] ?? '', /^plan_stale/);
  });

  it('hosts that are new after the approval are asked about, those that are gone are left out', async () => {
    const { result, touched, plans } = await repair({
      plans: [askedPlan([0, 1, 2]), askedPlan([0, 2, 3])],
      during: async (handle) => {
        await answer(handle, 'approve', anna);
        const { reason, decisions, approval } = await untilAsked(handle, ['web3']);
        assert.match(
          reason ?? '',
          /^waits for 1 approval of 1 host that is new since it was approved: web3 until/,
        );
        assert.deepEqual([approval?.given, approval?.hosts], [[], 1]);
        assert.equal(decisions?.at(-1)?.reason, 'gone since it was asked: web1');
        assert.match(await answer(handle, 'approve', anna), /^1 of 1/);
      },
    });

    assert.equal(result.state, 'verified');
    assert.deepEqual([[...touched].sort(), plans], [[0, 2, 3], 3]);
    assert.deepEqual(result.letters['restart'], 'sssh');
    assert.equal(result.reason, null);
  });

  it('new hosts that nobody approves are not touched, and neither is any other', async () => {
    const { result, touched } = await repair({
      plans: [askedPlan([0]), askedPlan([0, 1])],
      during: async (handle) => {
        await answer(handle, 'approve', anna);
        await untilAsked(handle, ['web1']);
        await answer(handle, 'reject', { ...bob, reason: 'not that one' });
      },
    });

    assert.equal(result.state, 'cancelled');
    assert.deepEqual(touched, []);
  });

  it('every host is gone after the approval: it ends held, because empty never means all', async () => {
    const { result, touched } = await repair({
      plans: [askedPlan([0]), { kind: 'held', reason: 'no_target', detail: 'no agent is meant' }],
      during: async (handle) => {
        await answer(handle, 'approve', anna);
      },
    });

    assert.deepEqual([result.state, result.reason], ['held', 'no_target: no agent is meant']);
    assert.deepEqual(touched, []);
  });

  it('all alerts resolve meanwhile: superseded, and an approval that comes late is refused', async () => {
    let late = '';
    let handleOf: WorkflowHandle | undefined;

    const { result, touched } = await repair({
      activities: {
        recordOutcome: async () => {
          if (handleOf !== undefined) late = await refusalOf(answer(handleOf, 'approve', anna));
        },
      },
      during: async (handle) => {
        handleOf = handle;
        await resolveAll(handle);
      },
    });

    assert.equal(result.state, 'superseded');
    assert.equal(late, 'conflict: the remediation is superseded: it does not wait for an approval');
    assert.deepEqual(touched, []);
  });

  it('paused: its time stands still, and what is approved then begins when it is resumed', async () => {
    const act = (handle: WorkflowHandle, name: string) =>
      handle.executeUpdate(name, { args: [{ by: 'anna', reason: 'holiday' }] });

    const { result, timers } = await repair({
      during: async (handle) => {
        await environment.sleep('23 hours');
        await act(handle, 'pause');
        const { reason } = await progressOf(handle);
        assert.match(reason ?? '', /its time stands still while it is paused/);
        await environment.sleep('2 days');
        await act(handle, 'resume');
        await environment.sleep('30 minutes');
        await act(handle, 'pause');
        await answer(handle, 'approve', bob);
        await eventually(async () => assert.equal((await progressOf(handle)).state, 'paused'));
        await act(handle, 'resume');
      },
    });

    assert.equal(result.state, 'verified');
    assert.equal(timers[0], dayMs);
    const left = timers[1] ?? 0;
    assert.ok(left > 3_500_000 && left <= 3_600_000, `${left} ms were left after the pause`);
  });

  it('answers in Temporal do not count where the setting says so, and those by the api do', async () => {
    let refused = '';

    const { result } = await repair({
      approval: { fromTemporal: false },
      during: async (handle) => {
        refused = await refusalOf(answer(handle, 'approve', { by: 'anna' }));
        await answer(handle, 'approve', anna);
      },
    });

    assert.equal(result.state, 'verified');
    assert.match(refused, /^conflict: answers given in Temporal do not count here/);
  });

  it('a plan without its digest, by an older worker, is not asked about', async () => {
    const { digest: _, ...plan } = askedPlan([0]);

    const { result, touched } = await repair({ plans: [plan] });

    assert.equal(result.state, 'held');
    assert.match(result.reason ?? '', /^plan_failed: the worker of activities is older/);
    assert.deepEqual(touched, []);
  });
});

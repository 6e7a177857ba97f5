import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mailboxActivities, type StartDeps } from '../../../activities/start-remediation.ts';
import type { GuardRefusal } from '../../../contracts/guard-refusal.ts';
import { defaultClocks } from '../../../contracts/limits.ts';
import type { RemediationInput } from '../../../contracts/temporal.ts';
import { anEpisode, aRemediation, aRunbook, someSettings } from '../../support/builders.ts';

const closed: GuardRefusal = { reason: 'maintenance', detail: 'a window', untilMs: 2_000 };
const flapping: GuardRefusal = { reason: 'flapping', detail: 'too often', untilMs: 1_000 };
const due = {
  policy: 'restart-web',
  remediationId: 'remediation:restart-web:web~0:12345678-1',
  mailboxId: 'mailbox:restart-web:web~0',
  groupId: 'web~0',
  episodes: [anEpisode()],
};

/** Starts over a Temporal that knows each id once; `crashes` loses the first answer on its way. */
function starts(over: Partial<StartDeps> = {}) {
  const inputs: RemediationInput[] = [];
  const activities = mailboxActivities({
    findPolicy: () => ({
      policy: aRemediation().policy,
      settings: someSettings(),
      runbook: aRunbook(),
    }),
    guards: async () => 'go',
    start: async (input) => {
      const first = inputs.find(({ remediationId }) => remediationId === input.remediationId);
      if (first === undefined) inputs.push(input);
      const { episodes, refusal = null } = first ?? input;
      return { episodes: episodes.map(({ id }) => id), refusal };
    },
    startedWith: async (id) => {
      const first = inputs.find(({ remediationId }) => remediationId === id);
      if (first === undefined) return null;
      const { episodes, refusal = null } = first;
      return { episodes: episodes.map((episode) => episode.id), refusal };
    },
    tell: async () => {},
    clocks: defaultClocks,
    callbackUrl: 'http://127.0.0.1:1/',
    ...over,
  });
  return { inputs, activities };
}

describe('starting a remediation', () => {
  it('one that nothing keeps starts with what the policy says now', async () => {
    const { inputs, activities } = starts();

    const outcome = await activities.startRemediation(due);

    assert.ok(outcome.kind === 'started');
    assert.deepEqual(outcome.episodes, [anEpisode().id]);
    assert.equal(inputs[0]?.refusal, undefined);
  });

  it('one that a guard keeps is told by a remediation that does nothing', async () => {
    const { inputs, activities } = starts({ guards: async () => closed });

    const outcome = await activities.startRemediation(due);

    assert.ok(outcome.kind === 'refused');
    assert.deepEqual(outcome.refusal, closed);
    assert.deepEqual(inputs[0]?.refusal, closed);
  });

  it('what the mailbox refuses itself no guard is asked about', async () => {
    const { inputs, activities } = starts({
      guards: () => Promise.reject(new Error('it was asked')),
    });

    const outcome = await activities.startRemediation({ ...due, refusal: flapping });

    assert.equal(outcome.kind, 'refused');
    assert.deepEqual(inputs[0]?.refusal, flapping);
  });

  it('made again after a crash, the first making decides, whatever the guards say by now', async () => {
    let refusal: GuardRefusal | null = null;
    const { activities } = starts({ guards: async () => refusal ?? 'go' });
    const other = { ...due, remediationId: `${due.remediationId}1` };

    await activities.startRemediation(due);
    refusal = closed;
    const started = await activities.startRemediation(due);
    await activities.startRemediation(other);
    refusal = null;
    const refused = await activities.startRemediation(other);

    assert.equal(started.kind, 'started');
    assert.ok(refused.kind === 'refused');
    assert.deepEqual(refused.refusal, closed);
  });

  it('what is told already starts no second remediation, unless the first making had begun a repair', async () => {
    const storm: GuardRefusal = { reason: 'mass', detail: 'many', untilMs: 9_000, isTold: true };
    let refusal: GuardRefusal | null = storm;
    const { inputs, activities } = starts({ guards: async () => refusal ?? 'go' });

    const refused = await activities.startRemediation(due);
    assert.deepEqual(inputs, []);
    refusal = null;
    await activities.startRemediation(due);
    refusal = storm;
    const started = await activities.startRemediation(due);

    assert.deepEqual([refused.kind, started.kind], ['refused', 'started']);
  });

  it('what this mailbox was told already is not told again, another reason is', async () => {
    let refusal: GuardRefusal = { ...closed, untilMs: closed.untilMs + 1 };
    const { inputs, activities } = starts({ guards: async () => refusal });

    const again = await activities.startRemediation({ ...due, told: closed });
    refusal = { ...refusal, reason: 'breaker' };
    await activities.startRemediation({ ...due, told: closed });

    assert.equal(again.kind, 'refused');
    assert.deepEqual(
      inputs.map((input) => input.refusal?.reason),
      ['breaker'],
    );
  });

  it('one that may only try is started so', async () => {
    const { inputs, activities } = starts({ guards: async () => 'canary' });

    assert.equal((await activities.startRemediation(due)).kind, 'started');
    assert.equal(inputs[0]?.canaryOnly, true);
  });

  it('a policy that is gone starts nothing', async () => {
    const { inputs, activities } = starts({ findPolicy: () => undefined });

    assert.deepEqual(await activities.startRemediation(due), { kind: 'policy_gone' });
    assert.deepEqual(inputs, []);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MailboxState } from '../../../domain/mailbox.ts';
import { anAlert, aResolved, someSettings } from '../../support/builders.ts';
import { wordOn } from '../../support/coming-and-going.ts';

const aMailbox = (settings: Parameters<typeof someSettings>[0] = {}) =>
  new MailboxState({ settings: someSettings({ waitMs: 0, ...settings }), carried: undefined });

describe('mailbox state', () => {
  it('a repair is told the latest start, so that an end before it does not call it off', () => {
    const state = aMailbox();
    // Two dispatchers may hand these over in this order; the alert fires still.
    const alerts = [
      anAlert({ startsAt: '2026-01-01T00:00:10Z' }),
      anAlert({ startsAt: '2026-01-01T00:00:30Z' }),
      aResolved({ endsAt: '2026-01-01T00:00:20Z' }),
    ];
    state.take(alerts, 1_000);

    const decision = state.decide(1_000);

    assert.equal(decision.kind, 'start');
    const [episode] = decision.kind === 'start' ? decision.episodes : [];
    assert.equal(episode?.startsAt, '2026-01-01T00:00:30Z');
    assert.equal(episode?.id, `aaaaaaaaaaaaaaaa@${Date.parse('2026-01-01T00:00:10Z')}`);
  });

  it('alerts too large for one repair are spread over several, and none is forgotten', () => {
    const state = aMailbox({ cooldownMs: 60_000, maxRuns: { count: 100, windowMs: 60_000 } });
    const note = 'x'.repeat(16_000);
    const prints = Array.from({ length: 200 }, (_, at) => String(at).padStart(16, '0'));
    state.take(
      prints.map((fingerprint) => anAlert({ fingerprint, labels: [['note', note]] })),
      1_000,
    );
    const repaired: string[] = [];

    for (let n = 1, nowMs = 1_000; n < 20; n++, nowMs += 60_000) {
      const decision = state.decide(nowMs);
      if (decision.kind !== 'start') break;
      const size = JSON.stringify(decision.episodes).length;
      assert.ok(size < 1024 * 1024, `${size} bytes`);
      state.repairStarts({ remediationId: `r-${n}`, nowMs });
      const episodes = decision.episodes.map(({ id }) => id);
      state.repairCovers({ remediationId: `r-${n}`, episodes });
      state.repairEnded({ remediationId: `r-${n}`, state: 'verified' }, nowMs);
      repaired.push(...decision.episodes.map(({ fingerprint }) => fingerprint));
    }

    assert.deepEqual([...repaired].sort(), prints);
  });

  it('the word of a repair that ended before its start was known frees the mailbox', () => {
    const state = aMailbox();
    state.take([anAlert()], 1_000);
    state.repairEnded({ remediationId: 'r-1', state: 'verified' }, 1_000);
    assert.equal(state.decide(2_000).kind, 'start');

    state.repairStarts({ remediationId: 'r-1', nowMs: 2_000 });

    assert.equal(state.runningRepair(), null);
  });

  it('what is carried over decides the same', () => {
    const state = aMailbox({ maxRuns: { count: 1, windowMs: 3_600_000 } });
    state.take([anAlert()], 1_000);
    state.repairStarts({ remediationId: 'r-1', nowMs: 1_000 });
    state.repairCovers({
      remediationId: 'r-1',
      episodes: state.openEpisodes().map(({ id }) => id),
    });
    state.repairEnded({ remediationId: 'r-1', state: 'failed' }, 2_000);
    state.take([anAlert({ receivedAtMs: 3_000 })], 1_000);

    const carried = JSON.parse(JSON.stringify(state.carried()));
    const next = new MailboxState({ settings: state.settings, carried });

    for (const nowMs of [4_000, 902_000, 902_001, 3_601_001]) {
      assert.deepEqual(next.decide(nowMs), state.decide(nowMs));
    }
    assert.equal(next.nextNumber(), 1);
  });
});

describe('a mailbox whose alerts come and go', () => {
  const minute = 60_000;
  const damping = { confirmForMs: minute, flap: { changes: 5, windowMs: 30 * minute } };

  it('an alert that fires again starts nothing before it went on for a while', () => {
    const state = aMailbox({ damping, cooldownMs: 0 });
    state.take([wordOn(0), wordOn(1)], 0);
    state.take([wordOn(2)], 1_000);

    assert.deepEqual(state.decide(1_000), {
      kind: 'wait',
      untilMs: 1_000 + minute,
      why: 'confirming',
    });
    assert.equal(state.decide(1_000 + minute).kind, 'start');
  });

  it('a group that flaps is told once to be held, and may start when it is stable', () => {
    const state = aMailbox({ damping, cooldownMs: 0 });
    for (let n = 0; n <= 6; n += 1) state.take([wordOn(n)], n * 2 * minute);

    const first = state.decide(12 * minute);
    assert.ok(first.kind === 'refuse');
    assert.equal(first.refusal.reason, 'flapping');
    assert.match(
      first.refusal.detail,
      /ServiceDown \(a{16}\) .*more than 5 times within 30m.*guards\.flap.*earliest 1970-01-01T00:38:00.000Z.*raise/,
    );
    state.flappingTold();
    assert.deepEqual(state.decide(12 * minute), {
      kind: 'wait',
      untilMs: 38 * minute,
      why: 'held(flapping)',
    });
    assert.match(state.describe(12 * minute), /\*\*held\(flapping\)\*\*/);
    assert.equal(state.decide(38 * minute).kind, 'start');
    assert.doesNotMatch(state.describe(38 * minute), /held/);
  });

  it('each time it flaps anew it is told anew', () => {
    const state = aMailbox({ damping, cooldownMs: 0 });
    const storm = (fromMs: number, from: number) => {
      for (let n = 0; n <= 6; n += 1) state.take([wordOn(from + n)], fromMs + n * 2 * minute);
      return state.decide(fromMs + 12 * minute);
    };

    assert.equal(storm(0, 0).kind, 'refuse');
    state.flappingTold();
    assert.equal(state.decide(38 * minute).kind, 'start');
    assert.equal(storm(100 * minute, 8).kind, 'refuse');
  });

  it('with flap off it never is', () => {
    const state = aMailbox({ damping: { ...damping, flap: null }, cooldownMs: 0 });
    for (let n = 0; n <= 60; n += 1) state.take([wordOn(n)], n * 1_000);

    assert.equal(state.decide(60_000 + minute).kind, 'start');
  });

  it('a refused start takes back its run, and only a further firing asks again', () => {
    const state = aMailbox({ damping, cooldownMs: 0, maxRuns: { count: 1, windowMs: minute } });
    const refusal = { reason: 'maintenance', detail: 'd', untilMs: 10 * minute } as const;
    state.take([anAlert()], 0);
    const due = state.decide(1_000);
    assert.ok(due.kind === 'start');
    state.repairStarts({ remediationId: 'r-1', nowMs: 1_000 });
    state.startRefused({ refusal, episodes: due.episodes, nowMs: 1_000 });

    assert.equal(state.decide(2_000).kind, 'wait');
    assert.match(state.describe(2_000), /\*\*held\(maintenance\)\*\*: d/);
    state.take([anAlert({ receivedAtMs: 5 * minute })], 5 * minute);
    assert.equal(state.decide(5 * minute).kind, 'start', 'the guards are asked again');
    assert.deepEqual(state.toldRefusal(5 * minute), refusal);
    assert.equal(state.toldRefusal(10 * minute), null);
  });

  it('a refused firing that was taken in by a clock that is ahead is not asked about again and again', () => {
    const state = aMailbox({ waitMs: 0, cooldownMs: 0 });
    const refusal = { reason: 'breaker', detail: 'd', untilMs: 10 * minute } as const;
    state.take([anAlert({ receivedAtMs: 1_000 + minute })], 0);
    const due = state.decide(1_000);
    assert.ok(due.kind === 'start');
    state.repairStarts({ remediationId: 'r-1', nowMs: 1_000 });
    state.startRefused({ refusal, episodes: due.episodes, nowMs: 1_000 });

    assert.equal(state.decide(1_001).kind, 'wait');
  });

  it('it stays for as long as its changes and refusals must be remembered', () => {
    const state = aMailbox({ damping, cooldownMs: 0, lingerMinMs: minute });
    state.take([wordOn(0), wordOn(1)], 0);

    assert.deepEqual(state.decide(5 * minute), {
      kind: 'wait',
      untilMs: 30 * minute,
      why: 'lingering',
    });
    assert.equal(state.decide(30 * minute).kind, 'close');
  });

  it('without damping everything is as it was: each change counts at once', () => {
    const state = aMailbox({ cooldownMs: 0 });
    for (let n = 0; n <= 60; n += 1) state.take([wordOn(n)], n * 1_000);

    assert.equal(state.decide(60_000).kind, 'start');
    state.repairStarts({ remediationId: 'r-1', nowMs: 60_000 });
    state.repairCovers({ remediationId: 'r-1', episodes: ['x@1', 'y@1'] });
    assert.deepEqual(state.wordsForRepair(['x@1', 'z@1'], 61_000), {
      remediationId: 'r-1',
      resolved: ['x@1'],
    });
    assert.deepEqual(state.decide(61_000), { kind: 'wait', untilMs: null, why: 'repairing' });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MailboxState } from '../../../domain/mailbox.ts';
import { anAlert, aResolved, someSettings } from '../../support/builders.ts';

const aMailbox = (settings: Parameters<typeof someSettings>[0] = {}) =>
  new MailboxState({ settings: someSettings({ waitMs: 0, ...settings }), carried: undefined });

describe('mailbox state', () => {
  it('a repair is told the latest start, so that an end before it does not call it off', () => {
    const state = aMailbox();
    // Two dispatchers may hand these over in this order; the alert fires still.
    state.take([
      anAlert({ startsAt: '2026-01-01T00:00:10Z' }),
      anAlert({ startsAt: '2026-01-01T00:00:30Z' }),
      aResolved({ endsAt: '2026-01-01T00:00:20Z' }),
    ]);

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
    state.take(prints.map((fingerprint) => anAlert({ fingerprint, labels: [['note', note]] })));
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
    state.take([anAlert()]);
    state.repairEnded({ remediationId: 'r-1', state: 'verified' }, 1_000);
    assert.equal(state.decide(2_000).kind, 'start');

    state.repairStarts({ remediationId: 'r-1', nowMs: 2_000 });

    assert.equal(state.runningRepair(), null);
  });

  it('what is carried over decides the same', () => {
    const state = aMailbox({ maxRuns: { count: 1, windowMs: 3_600_000 } });
    state.take([anAlert()]);
    state.repairStarts({ remediationId: 'r-1', nowMs: 1_000 });
    state.repairCovers({
      remediationId: 'r-1',
      episodes: state.openEpisodes().map(({ id }) => id),
    });
    state.repairEnded({ remediationId: 'r-1', state: 'failed' }, 2_000);
    state.take([anAlert({ receivedAtMs: 3_000 })]);

    const carried = JSON.parse(JSON.stringify(state.carried()));
    const next = new MailboxState({ settings: state.settings, carried });

    for (const nowMs of [4_000, 902_000, 902_001, 3_601_001]) {
      assert.deepEqual(next.decide(nowMs), state.decide(nowMs));
    }
    assert.equal(next.nextNumber(), 1);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChangeBook } from '../../../domain/change-book.ts';
import { EpisodeBook } from '../../../domain/episode.ts';
import { wordOn } from '../../support/coming-and-going.ts';

const flap = { changes: 5, windowMs: 30 * 60_000 };
const minute = 60_000;

/** Both books of a mailbox, and what comes in. */
function books(carried?: ReturnType<ChangeBook['carried']>) {
  const episodes = new EpisodeBook();
  const changes = new ChangeBook(carried);
  const counts = new Map<string, number>();
  return {
    changes,
    hear(nowMs: number, fingerprint = 'a') {
      const n = counts.get(fingerprint) ?? 0;
      counts.set(fingerprint, n + 1);
      changes.note(episodes.fold(wordOn(n, { fingerprint })), { flap, nowMs });
    },
  };
}

describe('how alerts come and go', () => {
  it('the sixth change of one alert in the window is one too many for five', () => {
    const { changes, hear } = books();

    for (let at = 0; at <= 5; at += 1) hear(at * 2 * minute);
    assert.equal(changes.flapping(flap, 10 * minute), null);
    hear(12 * minute);

    const flapping = changes.flapping(flap, 12 * minute);
    assert.equal(flapping?.fingerprint, 'a');
    assert.equal(flapping.changes, 6);
  });

  it('many alerts that fire for the first time are no flapping', () => {
    const { changes, hear } = books();

    for (let at = 0; at < 100; at += 1) hear(minute, `alert-${at}`);
    for (let at = 0; at < 100; at += 1) hear(2 * minute, `alert-${at}`);

    assert.equal(changes.flapping(flap, 2 * minute), null);
  });

  it('changes further apart than the window allows are no flapping, however many', () => {
    const { changes, hear } = books();
    let found = 0;

    for (let at = 0; at < 200; at += 1) {
      hear(at * 7 * minute);
      if (changes.flapping(flap, at * 7 * minute) !== null) found += 1;
    }

    assert.equal(found, 0);
  });

  it('it is stable again when no more than half as many are left in the window, not before', () => {
    const { changes, hear } = books();
    for (let at = 0; at <= 8; at += 1) hear(at * 2 * minute);

    const untilMs = changes.flapping(flap, 16 * minute)?.untilMs ?? 0;

    // The changes were at 2, 4 … 16; two may be left, so the one at 12 must be out.
    assert.equal(untilMs, 42 * minute);
    assert.notEqual(changes.flapping(flap, untilMs - 1), null);
    assert.equal(changes.flapping(flap, untilMs), null);
    // At half the rate it does not begin again.
    hear(untilMs);
    assert.equal(changes.flapping(flap, untilMs), null);
  });

  it('what is carried over judges the same, in the gap between the two limits too', () => {
    const { changes, hear } = books();
    for (let at = 0; at <= 6; at += 1) hear(at * 2 * minute);
    changes.flapping(flap, 12 * minute);

    const next = new ChangeBook(JSON.parse(JSON.stringify(changes.carried())));

    for (const nowMs of [33, 36, 37, 38, 39, 40].map((at) => at * minute)) {
      assert.deepEqual(next.flapping(flap, nowMs), changes.flapping(flap, nowMs), String(nowMs));
    }
  });

  it('a return counts after it went on for a while, a first firing at once', () => {
    const { changes, hear } = books();

    hear(0);
    assert.equal(changes.countsAt('a', minute), 0);
    hear(1_000);
    hear(2_000);
    assert.equal(changes.countsAt('a', minute), 2_000 + minute);
    assert.equal(changes.countsAt('b', minute), 0);
  });

  it('remembers changes for as long as they may hold the group, and a bounded number of alerts', () => {
    const { changes, hear } = books();
    for (let at = 0; at < 3_000; at += 1) {
      hear(at, `alert-${at}`);
      hear(at, `alert-${at}`);
    }

    assert.ok(changes.carried().alerts.length <= 2_000);
    assert.equal(changes.rememberedUntil(flap), 2_999 + flap.windowMs);
    hear(4_000 + flap.windowMs, 'alert-2999');
    assert.equal(changes.carried().alerts.length, 1);
  });
});

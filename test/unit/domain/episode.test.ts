import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AlertRef } from '../../../contracts/temporal.ts';
import { EpisodeBook } from '../../../domain/episode.ts';
import { anAlert, aResolved } from '../../support/builders.ts';

const at = (second: number, nanos = 0): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.${String(nanos).padStart(9, '0')}Z`;

const fold = (alerts: readonly AlertRef[]) => {
  const book = new EpisodeBook();
  return { book, changes: alerts.map((alert) => book.fold(alert).kind) };
};

describe('episodes', () => {
  it('the first firing opens one, and later ones join it whatever their startsAt', () => {
    const { book, changes } = fold([
      anAlert({ startsAt: at(10) }),
      anAlert({ startsAt: at(5) }),
      anAlert({ startsAt: at(20) }),
    ]);

    assert.deepEqual(changes, ['opened', 'joined', 'joined']);
    assert.equal(book.open()[0]?.episode.startsAt, at(10));
  });

  it('resolved is final: an older firing is late, a newer one opens another episode', () => {
    const { changes } = fold([
      anAlert({ startsAt: at(10) }),
      aResolved({ endsAt: at(30) }),
      anAlert({ startsAt: at(10) }),
      anAlert({ startsAt: at(29, 999_999_999) }),
      anAlert({ startsAt: at(30) }),
    ]);

    assert.deepEqual(changes, ['opened', 'closed', 'late', 'late', 'opened']);
  });

  it('a resolve of an earlier episode does not close the one that is open', () => {
    const { book, changes } = fold([anAlert({ startsAt: at(30) }), aResolved({ endsAt: at(20) })]);

    assert.deepEqual(changes, ['opened', 'nothing']);
    assert.equal(book.open().length, 1);
  });

  it('a fingerprint called __proto__ is remembered like any other', () => {
    const { book } = fold([anAlert({ fingerprint: '__proto__' })]);
    const carried = new EpisodeBook(JSON.parse(JSON.stringify(book.carried(10))));

    assert.equal(carried.open().length, 1);
    assert.equal(carried.fold(aResolved({ fingerprint: '__proto__' })).kind, 'closed');
  });

  it('forgets the oldest closed episodes first and never an open one', () => {
    const book = new EpisodeBook();
    for (let n = 0; n < 10; n++) {
      book.fold(anAlert({ fingerprint: `f${n}`, receivedAtMs: n }));
      if (n % 2 === 0) book.fold(aResolved({ fingerprint: `f${n}`, receivedAtMs: n }));
    }

    const kept = book.carried(6).map(([fingerprint]) => fingerprint);

    assert.deepEqual(kept.sort(), ['f1', 'f3', 'f5', 'f7', 'f8', 'f9']);
  });

  const alert = fc.record({
    fingerprint: fc.constantFrom('a', 'b', '__proto__'),
    isFiring: fc.boolean(),
    second: fc.integer({ min: 0, max: 59 }),
    receivedAtMs: fc.integer({ min: 0, max: 1_000 }),
  });

  it('which episodes are open in the end does not depend on order, nor on repeats', () => {
    fc.assert(
      fc.property(
        fc.array(alert, { maxLength: 12 }).chain((alerts) =>
          fc.tuple(
            fc.constant(alerts),
            fc.shuffledSubarray([...alerts, ...alerts], {
              minLength: alerts.length * 2,
              maxLength: alerts.length * 2,
            }),
          ),
        ),
        ([inOrder, shuffled]) => {
          const asAlert = ({
            fingerprint,
            isFiring,
            second,
            receivedAtMs,
          }: (typeof inOrder)[number]) =>
            isFiring
              ? anAlert({ fingerprint, startsAt: at(second), receivedAtMs })
              : aResolved({ fingerprint, endsAt: at(second), receivedAtMs });
          const openOf = (list: typeof inOrder) =>
            fold(list.map(asAlert))
              .book.open()
              .map(({ episode }) => episode.fingerprint);
          assert.deepEqual(openOf(shuffled), openOf(inOrder));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('survives continue-as-new at any point', () => {
    fc.assert(
      fc.property(fc.array(alert, { maxLength: 12 }), fc.nat(12), (alerts, cut) => {
        const asAlert = ({
          fingerprint,
          isFiring,
          second,
          receivedAtMs,
        }: (typeof alerts)[number]) =>
          isFiring
            ? anAlert({ fingerprint, startsAt: at(second), receivedAtMs })
            : aResolved({ fingerprint, endsAt: at(second), receivedAtMs });
        const whole = fold(alerts.map(asAlert)).book;
        const first = fold(alerts.slice(0, cut).map(asAlert)).book;
        const second = new EpisodeBook(JSON.parse(JSON.stringify(first.carried(100))));
        for (const next of alerts.slice(cut)) second.fold(asAlert(next));
        assert.deepEqual(second.open(), whole.open());
      }),
      { numRuns: 300 },
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RunningRepair, wordsFor } from '../../../domain/repair-words.ts';

const minute = 60_000;
const running: RunningRepair = { remediationId: 'r-1', episodes: ['a@1', 'b@c@2'] };
/** Fingerprints that fire, with when that counts. */
const firing = (of: Readonly<Record<string, number>>) => (fingerprint: string) =>
  of[fingerprint] ?? null;

describe('what a running repair is told', () => {
  it('nothing while its alerts fire', () => {
    const { words, nextMs } = wordsFor(running, {
      countsAt: firing({ a: 0, 'b@c': 0 }),
      nowMs: 1_000,
    });

    assert.deepEqual([words, nextMs], [null, null]);
  });

  it('that one is over, at once and once', () => {
    const over = { countsAt: firing({ a: 0 }), nowMs: 1_000 };

    const first = wordsFor(running, over);
    const second = wordsFor(first.repair, over);

    assert.deepEqual(first.words, { remediationId: 'r-1', resolved: ['b@c@2'] });
    assert.equal(second.words, null);
  });

  it('that it fires again, when that counts', () => {
    const told: RunningRepair = { ...running, resolved: ['a@1'] };
    const at = (nowMs: number) =>
      wordsFor(told, { countsAt: firing({ a: 10 * minute, 'b@c': 0 }), nowMs });

    assert.deepEqual([at(9 * minute).words, at(9 * minute).nextMs], [null, 10 * minute]);
    assert.deepEqual(at(10 * minute).words, {
      remediationId: 'r-1',
      resolved: [],
      returned: ['a@1'],
    });
    assert.deepEqual(at(10 * minute).repair.resolved, []);
  });

  it('returns at most once a minute, an end at any time', () => {
    const told: RunningRepair = { ...running, resolved: ['a@1'], returnsToldMs: 10 * minute };

    const { words, nextMs, repair } = wordsFor(told, {
      countsAt: firing({ a: 10 * minute }),
      nowMs: 10 * minute + 1,
    });
    const later = wordsFor(repair, { countsAt: firing({ a: 0 }), nowMs: 11 * minute });

    assert.deepEqual([words?.resolved, words?.returned], [['b@c@2'], undefined]);
    assert.equal(nextMs, 11 * minute);
    assert.deepEqual(later.words?.returned, ['a@1']);
  });
});

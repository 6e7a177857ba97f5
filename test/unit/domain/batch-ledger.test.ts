import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BatchLedger,
  batchesOf,
  failuresAllowed,
  isFailedLetter,
  isSuccessLetter,
} from '../../../domain/batch-ledger.ts';

describe('batch ledger', () => {
  it('batches cover every host once, in order, none larger than asked', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.integer({ min: 1, max: 500 }), (count, size) => {
        const batches = batchesOf(count, size);
        assert.deepEqual(
          batches.flat(),
          Array.from({ length: count }, (_, at) => at),
        );
        assert.ok(batches.every((batch) => batch.length > 0 && batch.length <= size));
      }),
    );
  });

  it('allows N failures, or a percentage of the planned hosts rounded down', () => {
    assert.equal(failuresAllowed(0, 50), 0);
    assert.equal(failuresAllowed(3, 50), 3);
    assert.equal(failuresAllowed('10%', 50), 5);
    assert.equal(failuresAllowed('10%', 9), 0);
    assert.equal(failuresAllowed('100%', 7), 7);
  });

  it('a success is never overwritten by a later attempt, and counts once', () => {
    const ledger = new BatchLedger(3);

    ledger.record([0, 1, 2], 'sff');
    ledger.markEarlier([0, 1, 2]);
    ledger.record([0, 1], 'fs');

    assert.equal(ledger.letters(), 'psf');
    assert.equal(ledger.succeeded(), 2);
    assert.equal(ledger.failed(), 1);
  });

  it('skips only hosts that were never submitted', () => {
    const ledger = new BatchLedger(2);

    ledger.record([0], 'f');
    ledger.skip([0, 1]);

    assert.equal(ledger.letters(), 'fk');
  });

  it('offers for a retry exactly the classes that were asked for', () => {
    const ledger = new BatchLedger('sftcrexnu');
    const positions = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    const retryable = (classes: ('failed' | 'timed_out' | 'unreachable' | 'unknown')[]) =>
      ledger.retryable({ positions, classes, refusedForNow: new Set() });

    assert.deepEqual(retryable(['failed']), [1]);
    assert.deepEqual(retryable(['timed_out']), [2]);
    assert.deepEqual(retryable(['unreachable']), [5, 6]);
    assert.deepEqual(retryable(['unknown']), [8]);
    assert.deepEqual(retryable([]), []);
    assert.deepEqual(
      ledger.retryable({ positions, classes: ['unreachable'], refusedForNow: new Set([4]) }),
      [4, 5, 6],
    );
  });

  it('every host has one letter after any sequence of attempts, and carries over unchanged', () => {
    const letters = fc.constantFrom(...'sftcrexnu');
    const attempt = fc.array(fc.tuple(fc.nat(19), letters), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 5 }), (attempts) => {
        const ledger = new BatchLedger(20);
        const succeeded = new Set<number>();
        for (const rows of attempts) {
          ledger.record(
            rows.map(([position]) => position),
            rows.map(([, letter]) => letter).join(''),
          );
          for (const [position] of rows) {
            if (isSuccessLetter(ledger.letterAt(position))) succeeded.add(position);
          }
        }
        assert.equal(ledger.letters().length, 20);
        assert.equal(new BatchLedger(ledger.letters()).letters(), ledger.letters());
        assert.equal(ledger.succeeded(), succeeded.size);
        assert.equal(ledger.failed(), [...ledger.letters()].filter(isFailedLetter).length);
      }),
    );
  });
});

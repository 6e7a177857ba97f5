import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BatchLedger } from '../../../domain/batch-ledger.ts';
import { dueForUndo, undoFigures } from '../../../domain/undo-plan.ts';

/** Steps by the letters of their hosts, and of their undo so far. */
const stepsOf = (...steps: readonly { ran: string; undo?: string }[]) =>
  steps.map(({ ran, undo }) => ({
    ledger: new BatchLedger(ran),
    undo: undo === undefined ? null : new BatchLedger(undo),
  }));
const due = (steps: ReturnType<typeof stepsOf>, index = 0, proofs: string | null = null) =>
  dueForUndo({
    hosts: 12,
    steps,
    index,
    proofs: proofs === null ? null : new BatchLedger(proofs),
  });

describe('what is undone', () => {
  it('a step on hosts where it may have run, and on no other', () => {
    assert.deepEqual(due(stepsOf({ ran: 'spftucrexnkh' })), [0, 1, 2, 3, 4]);
  });

  it('a step that was cancelled, where it had begun', () => {
    const steps = stepsOf({ ran: 'cc' });
    steps[0]?.ledger.began([1]);

    assert.deepEqual(due(steps), [1]);
  });

  it('a step that ran in its first attempt and was not reached in its second', () => {
    const ledger = new BatchLedger(2);
    ledger.record([0, 1], 'fx');
    ledger.record([0, 1], 'xx');

    const carried = new BatchLedger(ledger.letters(), ledger.begun());

    for (const each of [ledger, carried]) {
      assert.deepEqual(due([{ ledger: each, undo: null }]), [0]);
    }
  });

  it('nothing on a host that is proven: another repair may hold it by now', () => {
    assert.deepEqual(due(stepsOf({ ran: 'ssss' }), 0, 'spfh'), [2, 3]);
  });

  it('an earlier step only where the later ones are undone or never ran', () => {
    const steps = stepsOf({ ran: 'ssss' }, { ran: 'sfsx', undo: 'sfhh' });

    assert.deepEqual(due(steps, 1), [2]);
    assert.deepEqual(due(steps, 0), [0, 3]);
  });

  it('no host a second time', () => {
    assert.deepEqual(due(stepsOf({ ran: 'sss', undo: 'sfh' })), [2]);
  });

  it('of any letters: all is undone exactly when nothing that may have run is left', () => {
    const letter = fc.constantFrom(...'spftucrexnkh');
    const row = fc.array(letter, { minLength: 12, maxLength: 12 }).map((each) => each.join(''));
    fc.assert(
      fc.property(row, row, row, (first, second, proofs) => {
        const steps = stepsOf({ ran: first, undo: 'h'.repeat(12) }, { ran: second });
        const of = { hosts: 12, steps, proofs: new BatchLedger(proofs) };
        const undone = steps.map(({ ledger }) => ({ ledger, undo: new BatchLedger(12) }));
        for (const index of [1, 0]) {
          const positions = dueForUndo({ ...of, steps: undone, index });
          for (const position of positions) {
            assert.match((index === 0 ? first : second).charAt(position), /[spftu]/);
            assert.doesNotMatch(proofs.charAt(position), /[sp]/);
          }
          undone[index]?.undo.record(positions, 's'.repeat(positions.length));
        }

        const figures = undoFigures({ ...of, steps: undone });

        assert.equal(figures.due, figures.undone);
        assert.equal(undoFigures(of).due, figures.due);
        assert.equal(undoFigures(of).undone, 0);
      }),
    );
  });
});

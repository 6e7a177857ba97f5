import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { finalJobState, type JobState, jobState } from '../../../contracts/task.ts';
import { finalStates, isFinal, letterOf, mayFollow, retryClassOf } from '../../../domain/job.ts';

describe('job states', () => {
  it('every final state has a letter of its own and a row of the table', () => {
    const letters = finalJobState.options.map(letterOf);

    assert.equal(new Set(letters).size, finalJobState.options.length);
    assert.deepEqual(Object.keys(finalStates).sort(), [...finalJobState.options].sort());
    assert.ok(!letters.includes('.'));
  });

  it('a final state never changes, and no history of reports moves a job backwards', () => {
    const states = fc.array(fc.constantFrom(...jobState.options), { maxLength: 30 });
    fc.assert(
      fc.property(states, (reports) => {
        let current: JobState = 'queued';
        const seen: JobState[] = [current];
        for (const report of reports) {
          if (!mayFollow(current, report)) continue;
          assert.ok(!isFinal(current));
          current = report;
          seen.push(current);
        }
        assert.equal(new Set(seen).size, seen.length);
      }),
      { numRuns: 500 },
    );
  });

  it('three refusals say "not now" and may be tried again as unreachable; all others are final', () => {
    for (const reason of ['no_lease', 'busy', 'clock_unknown']) {
      assert.equal(retryClassOf('refused', reason), 'unreachable');
    }
    for (const reason of ['stopped', 'wrong_target', 'wrong_journal', null]) {
      assert.equal(retryClassOf('refused', reason), 'never');
    }
    assert.equal(retryClassOf('unknown', 'rebooted'), 'unknown');
    assert.equal(retryClassOf('cancelled', 'operator'), 'never');
  });
});

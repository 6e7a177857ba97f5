import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { progressOf } from '../../../bench/task-progress.ts';

describe('the progress of a task', () => {
  it('dates results by the first look that met them, and the last by Redis', () => {
    const looks = [0, 0, 10, 500, 980, 990].map((results, at) => ({ at: 100 + at * 10, results }));

    const progress = progressOf(looks, { count: 1_000, last: 157 });

    assert.deepEqual(progress, { first: 120, half: 130, most: 150, last: 157 });
  });

  it('is never later than the last result, when no look met what came before', () => {
    const looks = [
      { at: 100, results: 0 },
      { at: 112, results: 5 },
    ];

    const progress = progressOf(looks, { count: 5, last: 108 });

    assert.deepEqual(progress, { first: 108, half: 108, most: 108, last: 108 });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitStatusOf } from '../../../bench/fleet/simulated-executor.ts';
import { jobIdOf } from '../../../domain/ids.ts';

const jobIds = Array.from({ length: 1_000 }, (_, index) =>
  jobIdOf(`t${'a'.repeat(25)}`, String(index).padStart(12, '0')),
);
const behaviour = { seed: 1, durationMs: 0, failureRate: 0.1, exitCode: 3 };

describe('a simulated job', () => {
  it('ends the same way in every run of one seed', () => {
    const twice = [1, 2].map(() => jobIds.map((jobId) => exitStatusOf(jobId, behaviour)));

    assert.deepEqual(twice[0], twice[1]);
  });

  it('fails about as often as asked for, and others with another seed', () => {
    const failedWith = (seed: number) =>
      jobIds.filter((jobId) => exitStatusOf(jobId, { ...behaviour, seed }) === 3);

    assert.ok(Math.abs(failedWith(1).length - 100) < 40, `${failedWith(1).length} of 1,000 failed`);
    assert.notDeepEqual(failedWith(1), failedWith(2));
  });

  it('never fails at a rate of 0, and always at 1', () => {
    const statuses = (failureRate: number) =>
      new Set(jobIds.map((jobId) => exitStatusOf(jobId, { ...behaviour, failureRate })));

    assert.deepEqual([...statuses(0)], [0]);
    assert.deepEqual([...statuses(1)], [3]);
  });
});

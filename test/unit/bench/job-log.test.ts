import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JobLog } from '../../../bench/fleet/job-log.ts';
import { WallClock } from '../../../bench/wall-clock.ts';

const taskId = `t${'a'.repeat(25)}`;

describe('the log of a fleet’s jobs', () => {
  it('counts a job that started again once, however often it did', () => {
    const log = new JobLog(new WallClock());

    for (const agent of ['a', 'b', 'b', 'b']) log.started(`${taskId}.${agent}`);

    assert.deepEqual([log.jobs, log.startedTwice], [2, 1]);
  });

  it('gives the times of a task away once and keeps the counts', () => {
    const log = new JobLog(new WallClock());
    log.started(`${taskId}.a`);
    log.stored(`${taskId}.a`);

    const times = [log.take(taskId), log.take(taskId)];

    assert.deepEqual(
      times.map(({ startedAt, storedAt }) => [startedAt.length, storedAt.length]),
      [
        [1, 1],
        [0, 0],
      ],
    );
    assert.equal(log.jobs, 1);
  });
});

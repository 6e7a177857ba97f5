import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { membersOf } from '../../../agent/job-processes.ts';
import type { ProcessRow } from '../../../agent/process-table.ts';

const job = { jobId: 'job-1', pid: 100, startTime: '7' };
const aRow = (pid: number, over: Partial<ProcessRow> = {}): ProcessRow => ({
  ...{ pid, parent: 1, group: pid, session: pid, startTime: '9', jobId: null },
  ...over,
});
const leader = aRow(100, { startTime: '7', jobId: 'job-1' });
const pidsOf = (rows: readonly ProcessRow[]) =>
  membersOf(rows, job)
    .map(({ pid }) => pid)
    .sort((left, right) => left - right);

describe('the processes of a job', () => {
  it('are those of its group, its session and its mark, and the children of these', () => {
    const rows = [
      leader,
      aRow(101, { group: 100, session: 100, parent: 100 }),
      aRow(102, { jobId: 'job-1' }),
      aRow(103, { parent: 104 }),
      aRow(104, { parent: 102 }),
      aRow(105),
    ];

    assert.deepEqual(pidsOf(rows), [100, 101, 102, 103, 104]);
  });

  it('are none of another job, though that was started from this one', () => {
    const rows = [leader, aRow(101, { parent: 100, jobId: 'job-2' }), aRow(102, { parent: 101 })];

    assert.deepEqual(pidsOf(rows), [100]);
  });

  it('are none of a stranger that was given the helper’s pid later', () => {
    const stranger = aRow(100, { startTime: '8' });
    const rows = [stranger, aRow(101, { group: 100, session: 100, parent: 100 })];

    assert.deepEqual(pidsOf(rows), []);
  });

  it('are found when their helper is dead and only its session is left', () => {
    assert.deepEqual(pidsOf([aRow(101, { group: 101, session: 100 })]), [101]);
  });

  it('never include this process', () => {
    assert.deepEqual(pidsOf([aRow(process.pid, { jobId: 'job-1' })]), []);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jobsPageOf, taskReportOf } from '../../../agent-gateway/task-report.ts';
import { limits } from '../../../contracts/limits.ts';
import { type JobState, taskReport } from '../../../contracts/task.ts';
import { notThereStatus, plainReport } from '../../../domain/job.ts';

const taskOf = (states: readonly JobState[]) => ({
  taskId: `t${'a'.repeat(25)}`,
  key: 'remediation:x/restart/1/1',
  state: 'open' as const,
  isPartial: false,
  jobs: states.map((state, at) => ({
    agentId: String(at).padStart(12, '0'),
    report: plainReport(state, null),
  })),
});

describe('task report', () => {
  it('has a letter per host in the submit’s order, and names the first that did not succeed', () => {
    const report = taskReportOf(taskOf(['succeeded', 'running', 'failed', 'unknown', 'queued']));

    assert.equal(report.letters, 's.fu.');
    assert.deepEqual(
      report.failures.map(({ state }) => state),
      ['failed', 'unknown'],
    );
    assert.ok(taskReport.safeParse(report).success);
  });

  it('names no more failures than it may, and counts all by letter', () => {
    const report = taskReportOf(taskOf(Array.from({ length: 100 }, () => 'timed_out' as const)));

    assert.equal(report.failures.length, limits.reportFailuresMax);
    assert.equal(report.letters, 't'.repeat(100));
  });

  it('tells of every host whose script ended with the status that says "not there", and of no other', () => {
    const job = (at: number, state: JobState, exitCode: number | null) => ({
      agentId: String(at).padStart(12, '0'),
      report: { ...plainReport(state, 'exit_code'), exitCode },
    });
    const jobs = Array.from({ length: 500 }, (_, at) =>
      job(at, at % 2 === 0 ? 'failed' : 'succeeded', at % 2 === 0 ? notThereStatus : 0),
    );
    const others = [job(500, 'failed', 1), job(501, 'failed', null), job(502, 'running', 10)];

    const report = taskReportOf({ ...taskOf([]), jobs: [...jobs, ...others] });
    const without = taskReportOf({ ...taskOf([]), jobs: others });

    assert.deepEqual(
      report.notThere,
      Array.from({ length: 250 }, (_, at) => at * 2),
    );
    assert.equal('notThere' in without, false);
    assert.ok(taskReport.safeParse(report).success);
  });

  it('tells of every host that refused for now, and of none that refused for good', () => {
    const jobs = Array.from({ length: 500 }, (_, at) => ({
      agentId: String(at).padStart(12, '0'),
      report: plainReport('refused', at % 2 === 0 ? 'no_lease' : 'bad_signature'),
    }));

    const report = taskReportOf({ ...taskOf([]), jobs });
    const without = taskReportOf({ ...taskOf([]), jobs: jobs.slice(1, 2) });

    assert.deepEqual(
      report.notNow,
      Array.from({ length: 250 }, (_, at) => at * 2),
    );
    assert.equal('notNow' in without, false);
    assert.ok(taskReport.safeParse(report).success);
  });

  it('tells of every job that was cancelled after it had begun, and of no other', () => {
    const cancelled = plainReport('cancelled', 'operator');
    const jobs = [
      { ...cancelled, startedAt: 1 },
      cancelled,
      { ...plainReport('failed', 'exit_code'), startedAt: 1 },
    ].map((report, at) => ({ agentId: String(at).padStart(12, '0'), report }));

    const report = taskReportOf({ ...taskOf([]), jobs });
    const without = taskReportOf({ ...taskOf([]), jobs: jobs.slice(1) });

    assert.deepEqual(report.begun, [0]);
    assert.equal('begun' in without, false);
    assert.ok(taskReport.safeParse(report).success);
  });

  it('pages of one state give every such job once', () => {
    const task = taskOf(['failed', 'succeeded', 'failed', 'failed', 'succeeded', 'failed']);
    const found: string[] = [];
    let from: string | null = '0';
    while (from !== null) {
      const page = jobsPageOf(task, { state: 'failed', from: Number(from), count: 2 });
      found.push(...page.items.map(({ agentId }) => agentId.slice(-1)));
      from = page.next;
    }

    assert.deepEqual(found, ['0', '2', '3', '5']);
  });
});

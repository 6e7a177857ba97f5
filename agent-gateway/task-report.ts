import { limits } from '../contracts/limits.ts';
import type { JobReport, JobRow, JobState, TaskReport } from '../contracts/task.ts';
import { jobIdOf } from '../domain/ids.ts';
import { isFinal, isRefusedForNow, letterOf, notThereStatus } from '../domain/job.ts';

type Task = {
  readonly taskId: string;
  readonly key: string;
  readonly state: 'open' | 'finished';
  readonly isPartial: boolean;
  /** In the order of the submit. */
  readonly jobs: readonly { readonly agentId: string; readonly report: JobReport }[];
};

/** The task in a byte a host, with the first hosts that did not succeed. Pure. */
export function taskReportOf({ taskId, key, state, isPartial, jobs }: Task): TaskReport {
  const where = (has: (report: JobReport) => boolean) =>
    jobs.flatMap(({ report }, at) => (has(report) ? [at] : []));
  const notThere = where(
    ({ state, exitCode }) => state === 'failed' && exitCode === notThereStatus,
  );
  const begun = where(({ state, startedAt }) => state === 'cancelled' && startedAt !== null);
  const notNow = where(({ state, reason }) => isRefusedForNow(state, reason));
  return {
    taskId,
    key,
    state,
    size: jobs.length,
    ...(isPartial ? { partial: true } : {}),
    letters: jobs.map(({ report }) => letterOf(report.state)).join(''),
    failures: jobs
      .flatMap(({ agentId, report }) =>
        isFinal(report.state) && report.state !== 'succeeded' && agentId !== ''
          ? { agentId, state: report.state, reason: report.reason, exitCode: report.exitCode }
          : [],
      )
      .slice(0, limits.reportFailuresMax),
    ...(notThere.length === 0 ? {} : { notThere }),
    ...(notNow.length === 0 ? {} : { notNow }),
    ...(begun.length === 0 ? {} : { begun }),
  };
}

/** One page of a task's jobs. `next` is the position to go on from, null on the last page. */
export function jobsPageOf(
  task: Task,
  of: { readonly state: JobState | undefined; readonly from: number; readonly count: number },
): { readonly items: readonly JobRow[]; readonly next: string | null } {
  const rows = task.jobs
    .map(({ agentId, report }, at) => ({ agentId, report, at }))
    .slice(of.from)
    // A job of which nobody has told since Redis lost its task has no host to show.
    .filter(({ agentId }) => agentId !== '')
    .filter(({ report }) => of.state === undefined || report.state === of.state);
  const following = rows[of.count];
  return {
    items: rows.slice(0, of.count).map(({ agentId, report }) => ({
      agentId,
      jobId: jobIdOf(task.taskId, agentId),
      report,
    })),
    next: following === undefined ? null : String(following.at),
  };
}

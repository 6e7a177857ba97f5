import { createHash } from 'node:crypto';
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { jobIdOf, taskIdOf } from '../../../domain/ids.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payloads = temporal.api.common.v1.IPayloads | null | undefined;

/** One attempt at one batch as a repair's history tells it. */
export type Attempt = {
  readonly key: string;
  readonly jobs: readonly { readonly agentId: string; readonly jobId: string }[];
  /** One letter per job; null if the history holds no report of a finished task. */
  readonly letters: string | null;
};

/** A run of a mailbox, a repair or the kill switch. */
export type Run = {
  readonly type: string;
  readonly workflowId: string;
  /** By the history's last event: lists follow it with a delay. */
  readonly status: string;
  /** First argument. */
  readonly input: unknown;
  readonly result: unknown;
  readonly attempts: readonly Attempt[];
  readonly signals: readonly { readonly name: string; readonly input: unknown }[];
  /** Causes of failed workflow tasks other than news that arrived meanwhile. */
  readonly taskFailures: readonly string[];
};

/** Reads every run that started since then, with its whole history. */
export async function readRuns(client: Client, sinceMs: number): Promise<readonly Run[]> {
  const query = `StartTime >= "${new Date(sinceMs).toISOString()}"`;
  const infos: WorkflowExecutionInfo[] = [];
  for await (const info of client.workflow.list({ query })) infos.push(info);
  const runs: Run[] = [];
  for (const info of infos) {
    const handle = client.workflow.getHandle(info.workflowId, info.runId);
    const { events } = await handle.fetchHistory();
    runs.push(runOf(info, events ?? []));
  }
  return runs;
}

function runOf(info: WorkflowExecutionInfo, events: readonly HistoryEvent[]): Run {
  const [first] = events;
  const last = events.at(-1);
  return {
    type: info.type,
    workflowId: info.workflowId,
    status: statusOf(last),
    input: dataOf(first?.workflowExecutionStartedEventAttributes?.input),
    result: dataOf(last?.workflowExecutionCompletedEventAttributes?.result),
    attempts: attemptsOf(events),
    signals: events.flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
      signal ? [{ name: signal.signalName ?? '', input: dataOf(signal.input) }] : [],
    ),
    taskFailures: events.flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
      failed && !isNews(failed.cause) ? [failed.failure?.message ?? `cause ${failed.cause}`] : [],
    ),
  };
}

function statusOf(last: HistoryEvent | undefined): string {
  if (last?.workflowExecutionCompletedEventAttributes) return 'COMPLETED';
  if (last?.workflowExecutionContinuedAsNewEventAttributes) return 'CONTINUED_AS_NEW';
  if (last?.workflowExecutionFailedEventAttributes) return 'FAILED';
  if (last?.workflowExecutionTerminatedEventAttributes) return 'TERMINATED';
  if (last?.workflowExecutionTimedOutEventAttributes) return 'TIMED_OUT';
  return last?.workflowExecutionCanceledEventAttributes ? 'CANCELED' : 'RUNNING';
}

// Of Temporal's WORKFLOW_TASK_FAILED_CAUSE_…: UNHANDLED_COMMAND, RESET_STICKY_TASK_QUEUE,
// FORCE_CLOSE_COMMAND, UNHANDLED_UPDATE: something arrived while a worker was deciding, or the
// worker is another one now. The task is made again with it.
const news: readonly unknown[] = [1, 13, 17, 31];
const isNews = (cause: unknown): boolean => news.includes(cause);

type Submit = { key: string; task: { targets: { agentId: string }[] } };
type Report = { key: string; state: string; letters: string };

function attemptsOf(events: readonly HistoryEvent[]): Attempt[] {
  const submits = new Map<string, Submit>();
  const letters = new Map<string, string>();
  const take = (report: Report | null | undefined) => {
    if (report?.state === 'finished' && !letters.has(report.key)) {
      letters.set(report.key, report.letters);
    }
  };
  for (const event of events) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (['submitTask', 'probe'].includes(scheduled?.activityType?.name ?? '')) {
      const submit = dataOf(scheduled?.input) as Submit; // As the workflow gave it.
      submits.set(submit.key, submit);
    }
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed) take(reportOf(dataOf(completed.result)));
    const signal = event.workflowExecutionSignaledEventAttributes;
    if (signal?.signalName === 'taskFinished') {
      take((dataOf(signal.input) as { report: Report }).report);
    }
  }
  return [...submits.values()].map(({ key, task }) => ({
    key,
    jobs: task.targets.map(({ agentId }) => ({
      agentId,
      jobId: jobIdOf(taskIdOf(key, sha256), agentId),
    })),
    letters: letters.get(key) ?? null,
  }));
}

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();

const reportOf = (data: unknown): Report | null =>
  typeof data === 'object' && data !== null && 'letters' in data && 'key' in data
    ? (data as Report)
    : null;

/** The first payload as data; our own converter writes JSON. */
function dataOf(payloads: Payloads): unknown {
  const bytes = payloads?.payloads?.[0]?.data;
  if (!bytes || bytes.length === 0) return null;
  return JSON.parse(Buffer.from(bytes).toString('utf8'));
}

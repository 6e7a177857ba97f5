import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  isCancellation,
  patched,
} from '@temporalio/workflow';
import type { ScriptAction, TaskReport, TaskSubmit, TaskTarget } from '../contracts/task.ts';
import { idempotencyKeyOf } from '../domain/ids.ts';
import { polling, submitting } from './activity-proxies.ts';
import type { RunState } from './run-state.ts';
import { passStop } from './stop-wait.ts';

/** One attempt at one batch: one task, one key. */
export type Attempt = {
  readonly step: string;
  /**
   * Set if the step's probe is meant. It shares the step's slot: an agent on which the attempt
   * still runs refuses it (rule X4).
   */
  readonly probe?: true;
  /**
   * The step that it undoes. It shares that one's slot: an agent on which the step still runs refuses
   * to undo it.
   */
  readonly undoes?: string;
  readonly batch: number;
  readonly attempt: number;
  readonly targets: readonly TaskTarget[];
  readonly action: ScriptAction;
  readonly timeoutMs: number;
  readonly outputBytes: number;
  readonly expectReboot?: true;
  /** What people read: `step 1 restart · batch 1/3 · 200 hosts · try 1`. */
  readonly label: string;
  readonly activity: 'submitTask' | 'probe';
};

/** How an attempt went: a letter per target, in order; reasons for some of those that failed. */
export type AttemptOutcome = {
  readonly letters: string;
  readonly failures: TaskReport['failures'];
  /** Which targets' scripts said "not there" (`notThereStatus`), by their place among the letters. */
  readonly notThere: ReadonlySet<number>;
  /** Which targets refused for now, by their place among the letters. */
  readonly notNow: readonly number[];
  /** Which targets' scripts had begun when they were cancelled, by their place among the letters. */
  readonly begun: readonly number[];
  /** Set when the task as a whole went wrong: why. */
  readonly note: string | null;
};

/**
 * Submits an attempt and waits until every host's outcome is known, or the batch deadline: short
 * submit → wait for the callback → poll → … → last poll → `unknown` (design 5.10). A failed batch
 * is an outcome, never an exception. A cancel request is passed to the gateway once; the wait
 * goes on, because a cancelled run still says what happened on every host (rule R9).
 */
export async function runAttempt(run: RunState, attempt: Attempt): Promise<AttemptOutcome> {
  const { remediationId } = run.input;
  await passStop(run);
  // Called off while it was stopped: nothing was done, so no letter changes.
  if (run.stop !== null) return outcomeOf({ letters: '', failures: [] }, 'stopped');
  const key = idempotencyKeyOf({ remediationId, ...attempt, step: keyNameOf(attempt) });
  const task = taskOf(run, attempt, Date.now());
  const isProof = attempt.probe !== undefined || attempt.step === 'verify';
  run.inFlight = new Set(isProof ? [] : task.targets.map(({ agentId }) => agentId));
  run.attempted(attempt.step, { ...rowOf(attempt, key), letters: '.'.repeat(task.targets.length) });
  const outcome = await settle(run, { key, task, attempt });
  run.inFlight = new Set();
  run.attempted(attempt.step, { ...rowOf(attempt, key), letters: outcome.letters });
  run.reports.delete(key);
  return outcome;
}

/** Each wait is three times the one before, so that a run which hears nothing stays below 60 events. */
const pollGrowth = 3;

type InFlight = {
  readonly key: string;
  readonly task: TaskSubmit;
  readonly attempt: Attempt;
  /** The gateway had it before. */
  readonly again?: true;
};

/** No step can be named so: a `~` is in no name. */
const keyNameOf = ({ step, probe }: Attempt): string =>
  probe === undefined ? step : `${step}~probe`;

const rowOf = (attempt: Attempt, key: string) => ({
  batch: attempt.batch,
  attempt: attempt.attempt,
  taskKey: key,
  ...(attempt.probe === undefined ? {} : { probe: attempt.probe }),
});

/** The whole body, computed here: a repeated submit is the same to the byte (rule X1). */
function taskOf(run: RunState, attempt: Attempt, nowMs: number): TaskSubmit {
  const { clocks, remediationId, callbackUrl } = run.input;
  const notAfter = nowMs + clocks.notAfterMs;
  return {
    version: 1,
    slot: `${remediationId}/${attempt.undoes ?? attempt.step}`,
    attempt: attempt.attempt,
    action: attempt.action,
    targets: [...attempt.targets],
    limits: { timeoutMs: attempt.timeoutMs, outputBytes: attempt.outputBytes },
    notAfter,
    deadline: notAfter + attempt.timeoutMs + clocks.batchGraceMs,
    callback: { url: callbackUrl, reference: remediationId },
    ...(attempt.expectReboot === undefined ? {} : { expectReboot: attempt.expectReboot }),
  };
}

async function settle(run: RunState, of: InFlight): Promise<AttemptOutcome> {
  const submitted = await submit(run, of);
  if (submitted.kind === 'refused') {
    return outcomeOf({ letters: all('r', of), failures: [] }, submitted.code);
  }
  if (submitted.kind === 'nothing_ran') {
    return outcomeOf({ letters: all('x', of), failures: [] }, 'the gateway could not be reached');
  }
  let latest = submitted.report;
  let cancelTold = false;
  let isCancelOwed = false;
  let pollAfterMs = Math.max(run.input.clocks.pollAfterMinMs, of.attempt.timeoutMs / 4);
  for (;;) {
    const finished = run.reports.get(of.key) ?? finishedOr(latest, null);
    if (finished !== null) return outcomeOf(finished);
    if (run.cancelRequest !== null && !cancelTold) {
      cancelTold = true;
      isCancelOwed = !(await tellCancel(run, of)) && patched('cancel-told-again');
      if (isCancelOwed) pollAfterMs = Math.min(pollAfterMs, run.input.clocks.pollAfterMinMs);
      continue;
    }
    const leftMs = of.task.deadline - Date.now();
    if (leftMs <= 0) return lastPoll(run, of, latest);
    const waitMs = Math.min(pollAfterMs, leftMs);
    const heard = await condition(
      () => run.reports.has(of.key) || (run.cancelRequest !== null && !cancelTold),
      waitMs,
      { summary: `poll in ${Math.ceil(waitMs / 1_000)} s · ${of.attempt.label}` },
    );
    if (heard || of.task.deadline - Date.now() <= 0) continue;
    const polled = await pollOrResubmit(run, of);
    // A task that was made again knows of no cancel that came before.
    if (polled.isResubmitted || isCancelOwed) cancelTold = false;
    latest = polled.report ?? latest;
    pollAfterMs *= pollGrowth;
  }
}

type Submitted =
  | { readonly kind: 'accepted'; readonly report: TaskReport | null }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'nothing_ran' };

async function submit(run: RunState, of: InFlight): Promise<Submitted> {
  const activities = submitting(run.input.clocks, { summary: of.attempt.label });
  try {
    const { key, task, again } = of;
    const input = again ? { key, task, again } : { key, task };
    const report = await activities[of.attempt.activity](input);
    return { kind: 'accepted', report };
  } catch (error) {
    const failure = activityFailure(error);
    const { cause } = failure;
    const isRefused = cause instanceof ApplicationFailure && cause.nonRetryable;
    const refusal: Submitted = isRefused
      ? { kind: 'refused', code: cause.type ?? 'internal' }
      : { kind: 'nothing_ran' };
    // The answer to an earlier try may have been lost, so a refusal of the last one proves nothing.
    if (isRefused && !patched('ask-before-refused')) return refusal;
    return adopt(run, of, refusal);
  }
}

/** The submit ended without success: was it accepted all the same? One look tells (rule X3). */
async function adopt(run: RunState, of: InFlight, otherwise: Submitted): Promise<Submitted> {
  if (run.reports.has(of.key)) return { kind: 'accepted', report: null };
  const seen = await look(run, of, run.input.clocks.submitTryMs);
  if (seen.kind === 'unreachable') return { kind: 'accepted', report: null };
  return seen.report === null ? otherwise : { kind: 'accepted', report: seen.report };
}

type Look =
  | { readonly kind: 'seen'; readonly report: TaskReport | null }
  | { readonly kind: 'unreachable' };

async function look(run: RunState, of: InFlight, withinMs: number): Promise<Look> {
  const { clocks } = run.input;
  const { pollTask } = polling({ clocks, withinMs, summary: `poll · ${of.attempt.label}` });
  try {
    return { kind: 'seen', report: await pollTask({ key: of.key }) };
  } catch (error) {
    activityFailure(error);
    return { kind: 'unreachable' };
  }
}

type Polled = { readonly report: TaskReport | null; readonly isResubmitted: boolean };

/**
 * A gateway that has forgotten the task, or a part of it, is given the same one again: same key,
 * same answer (R6). After a cancel only once nothing of it may start any more: until then a host
 * that was never reached would run what is called off (rule R9).
 */
async function pollOrResubmit(run: RunState, of: InFlight): Promise<Polled> {
  const seen = await look(run, of, run.input.clocks.pollAfterMinMs);
  const report = seen.kind === 'seen' ? seen.report : null;
  const isKnown = report !== null && report.partial !== true;
  if (seen.kind === 'unreachable' || isKnown) return { report, isResubmitted: false };
  const mayStart = Date.now() <= of.task.notAfter;
  if (run.cancelRequest !== null && mayStart && patched('no-resubmit-of-what-is-cancelled')) {
    return { report: null, isResubmitted: false };
  }
  const again = await submit(run, { ...of, again: true });
  return { report: again.kind === 'accepted' ? again.report : null, isResubmitted: true };
}

/** The deadline has passed: one more look, and only what that does not answer is unknown (R8). */
async function lastPoll(
  run: RunState,
  of: InFlight,
  latest: TaskReport | null,
): Promise<AttemptOutcome> {
  const seen = await look(run, of, run.input.clocks.batchGraceMs);
  const report = run.reports.get(of.key) ?? (seen.kind === 'seen' ? seen.report : null) ?? latest;
  if (report === null) return outcomeOf({ letters: all('u', of), failures: [] }, 'deadline');
  return outcomeOf({ ...report, letters: report.letters.replaceAll('.', 'u') }, 'deadline');
}

/** Whether the gateway knows. If not it is told again after each look at the task, until that has ended. */
async function tellCancel(run: RunState, of: InFlight): Promise<boolean> {
  const { clocks } = run.input;
  const { cancelTask } = polling({
    clocks,
    withinMs: clocks.pollAfterMinMs,
    summary: `cancel · ${of.attempt.label}`,
  });
  try {
    await cancelTask({ key: of.key, reason: 'operator' });
    return true;
  } catch (error) {
    activityFailure(error);
    return false;
  }
}

const all = (letter: string, of: InFlight): string => letter.repeat(of.task.targets.length);

const finishedOr = (report: TaskReport | null, other: null): TaskReport | null =>
  report?.state === 'finished' ? report : other;

const outcomeOf = (
  report: Pick<TaskReport, 'letters' | 'failures' | 'notThere' | 'notNow' | 'begun'>,
  note: string | null = null,
): AttemptOutcome => ({
  letters: report.letters,
  failures: report.failures,
  notThere: new Set(report.notThere),
  notNow: report.notNow ?? [],
  begun: report.begun ?? [],
  note,
});

/** Anything but an activity's failure is a bug in us and must block the task, not hide here. */
function activityFailure(error: unknown): ActivityFailure {
  if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
  return error;
}

import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import {
  type CancelUpdate,
  type EpisodeChangedSignal,
  type Plan,
  queryNames,
  type RemediationEnd,
  type RemediationInput,
  type RemediationProgress,
  type RemediationResult,
  signalNames,
  type TaskFinishedSignal,
  updateNames,
} from '../contracts/temporal.ts';
import { alertsInWords } from '../domain/remediation-details.ts';
import { fillTargets } from '../domain/script-values.ts';
import { core, planning } from './activity-proxies.ts';
import { type RolloutOutcome, rollOut } from './rollout.ts';
import { type CarriedRun, RunState } from './run-state.ts';
import { verify } from './verification.ts';

export const taskFinishedSignal = defineSignal<[TaskFinishedSignal]>(signalNames.taskFinished);
export const episodeChangedSignal = defineSignal<[EpisodeChangedSignal]>(
  signalNames.episodeChanged,
);
export const cancelUpdate = defineUpdate<void, [CancelUpdate]>(updateNames.cancel);
export const progressQuery = defineQuery<RemediationProgress>(queryNames.progress);
export const planQuery = defineQuery<RemediationProgress['targets']>(queryNames.plan);

/**
 * One repair of one group (design 1): plan → batches, each submit → wait → settle → verify → end.
 * Its input is frozen: nothing that changes outside changes what this run does. It ends with a
 * result in every case, and says so to its mailbox and to the audit log.
 */
export async function remediation(input: RemediationInput): Promise<RemediationResult> {
  const run = new RunState(input, Date.now());
  setHandlers(run);
  // Temporal's own cancel takes the path of ours: nothing below is torn off in the middle (R9).
  CancellationScope.current().cancelRequested.catch(() => {
    if (isCancellable(run))
      run.cancelRequest ??= { by: 'temporal', reason: 'cancelled in Temporal' };
  });
  return CancellationScope.nonCancellable(async () => end(run, await carryOut(run)));
}

type Ending = { readonly state: RemediationEnd; readonly reason: string | null };

async function carryOut(run: RunState): Promise<Ending> {
  const { refusal } = run.input;
  if (refusal !== undefined) {
    return { state: 'held', reason: `${refusal.reason}: ${refusal.detail}` };
  }
  const carried = run.input.carried as CarriedRun | undefined; // Only this workflow writes it.
  if (carried === undefined) {
    const plan = await planRepair(run);
    if (plan === null || run.cancelRequest !== null) return { state: 'cancelled', reason: null };
    if (plan.kind === 'held') return { state: 'held', reason: `${plan.reason}: ${plan.detail}` };
    run.planned(plan);
    const nothingStarts = whyNothingStarts(run);
    if (nothingStarts !== null) return nothingStarts;
    run.enter('running');
  }
  const outcome = await rollOut(run, carried?.next ?? { step: 0, batch: 0 });
  if (outcome.kind !== 'done') return endingOf(outcome);
  run.enter('verifying', { deadlineMs: Date.now() + run.input.runbook.verify.withinMs });
  const verdict = await verify(run, outcome.positions);
  return verdict.kind === 'failed'
    ? { state: 'failed', reason: verdict.reason }
    : { state: verdict.kind, reason: null };
}

/** Null if it was cancelled meanwhile. A plan that cannot be made is a refusal with its reason (invariant 6). */
async function planRepair(run: RunState): Promise<Plan | null> {
  const { policy, episodes, remediationId, clocks } = run.input;
  const { planTargets } = planning(clocks, {
    summary: `plan · ${alertsInWords(episodes)} · policy ${policy.name}`,
  });
  const scope = new CancellationScope();
  try {
    return await scope.run(() =>
      Promise.race([
        planTargets({ remediationId, targets: policy.targets, episodes }),
        condition(() => run.cancelRequest !== null).then(() => null),
      ]),
    );
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const { type, message } = reasonIn(error);
    const reason = type === 'inventory_incomplete' ? type : 'plan_failed';
    return { kind: 'held', reason, detail: message };
  } finally {
    scope.cancel();
  }
}

/** The activity's own word, which may stand behind the timeout that ended its tries. */
function reasonIn(failure: ActivityFailure): { readonly type: string; readonly message: string } {
  let found: Error | undefined = failure;
  while (found !== undefined && !(found instanceof ApplicationFailure)) {
    found = found.cause instanceof Error ? found.cause : undefined;
  }
  return { type: found?.type ?? '', message: found?.message ?? 'no answer in time' };
}

/** Resolved while it was planned, or a script that cannot be filled in: nothing starts (invariant 7). */
function whyNothingStarts(run: RunState): Ending | null {
  const isOver = run.targets.every((_, position) => run.isDropped(position));
  if (isOver) return { state: 'superseded', reason: 'every alert resolved before anything ran' };
  const { steps, verify: proof } = run.input.runbook;
  const probes = steps.flatMap(({ probe }) => probe ?? []);
  const scripts = [...steps, ...probes, ...(proof.probe === null ? [] : [proof.probe])];
  for (const { script } of scripts) {
    const { targets } = run;
    const filled = fillTargets({ script, targets, episodes: run.input.episodes });
    // Asked for all scripts before the first runs, so that no repair stops half-way for a label.
    if (filled.kind === 'refused') {
      return { state: 'held', reason: `${filled.reason}: ${filled.detail}` };
    }
  }
  return null;
}

function endingOf(outcome: Exclude<RolloutOutcome, { kind: 'done' }>): Ending {
  switch (outcome.kind) {
    case 'failed':
    case 'held':
      return { state: outcome.kind, reason: outcome.reason };
    case 'cancelled':
      return { state: 'cancelled', reason: null };
    case 'superseded':
      return { state: 'superseded', reason: 'every alert resolved before anything ran' };
    default:
      return outcome satisfies never;
  }
}

async function end(run: RunState, ending: Ending): Promise<RemediationResult> {
  const { input } = run;
  const cancelled = ending.state === 'cancelled' ? run.cancelRequest : null;
  const reason = ending.reason ?? (cancelled === null ? null : cancelled.reason);
  run.enter(ending.state, { reason });
  const result: RemediationResult = {
    remediationId: input.remediationId,
    state: ending.state,
    reason,
    hosts: run.targets.length,
    hostsFailed: run.hostsFailed(),
    letters: run.letters(),
  };
  await core.recordOutcome.executeWithOptions({ summary: `record · ${ending.state}` }, [
    {
      result,
      mailboxId: input.mailboxId,
      policy: input.policy.name,
      policyDigest: input.policy.digest,
      runbook: input.runbook.name,
      runbookDigest: input.runbook.digest,
      scriptDigests: input.runbook.steps.flatMap(({ script, probe }) =>
        probe === undefined ? [script.digest] : [script.digest, probe.script.digest],
      ),
      episodes: input.episodes,
      targets: run.targets,
      startedAtMs: run.startedAtMs,
      endedAtMs: Date.now(),
      cancelledBy: cancelled?.by ?? null,
    },
  ]);
  return result;
}

/** From `verifying` on the repair is done; what is left is to prove it (rule R9). */
const isCancellable = (run: RunState): boolean =>
  run.phase === 'planning' || run.phase === 'running';

function setHandlers(run: RunState): void {
  setHandler(progressQuery, () => run.progress());
  setHandler(planQuery, () => run.progress().targets);
  setHandler(taskFinishedSignal, ({ report }) => {
    // Only tasks of this run, so that a stranger's repeats cannot grow our state.
    if (report.state !== 'finished' || !report.key.startsWith(`${run.input.remediationId}/`))
      return;
    run.reports.set(report.key, report);
  });
  setHandler(episodeChangedSignal, ({ resolved, returned = [] }) => {
    run.resolve(resolved);
    run.reopen(returned);
  });
  setHandler(
    cancelUpdate,
    (update) => {
      run.cancelRequest ??= update;
    },
    {
      validator: (_: CancelUpdate) => {
        if (isCancellable(run)) return;
        throw ApplicationFailure.nonRetryable(
          `the remediation is ${run.phase}: too late to cancel`,
          'conflict',
        );
      },
    },
  );
}

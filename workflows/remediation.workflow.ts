import { ActivityFailure, CancellationScope } from '@temporalio/workflow';
import type { Plan, RemediationInput, RemediationResult } from '../contracts/temporal.ts';
import { planFailureText } from '../domain/plan-failure.ts';
import { outlookInWords } from '../domain/plan-outlook.ts';
import { alertsInWords } from '../domain/remediation-details.ts';
import { whyNothingStarts } from '../domain/start-refusal.ts';
import { namesUsed } from '../domain/value-names.ts';
import { core, planning, planningAtOnce } from './activity-proxies.ts';
import { passApproval } from './approval.ts';
import { atOnceOrQueued } from './at-once.ts';
import { leftUntried } from './breaker-trial.ts';
import { unlessCancelled } from './cancellable-wait.ts';
import { cancelled, type Ending, endingOfRefusal, heldFor, superseded } from './ending.ts';
import { escalate } from './escalate.ts';
import { lastWordOf } from './last-word.ts';
import { outlookOf } from './outlook.ts';
import { handleMessages, isCancellable } from './remediation-messages.ts';
import { rollBack } from './rollback.ts';
import { neverAdmitted, type RolloutOutcome, rollOut } from './rollout.ts';
import { type CarriedRun, RunState } from './run-state.ts';
import { type Verdict, verify } from './verification.ts';

/**
 * One repair of one group (design 1): plan → batches, each submit → wait → settle → verify → end.
 * Its input is frozen: nothing that changes outside changes what this run does. It ends with a
 * result in every case, and says so to its mailbox and to the audit log.
 */
export async function remediation(input: RemediationInput): Promise<RemediationResult> {
  const run = new RunState(input, Date.now());
  handleMessages(run);
  // Temporal's own cancel takes the path of ours: nothing below is torn off in the middle (R9).
  CancellationScope.current().cancelRequested.catch(() => {
    if (isCancellable(run))
      run.decisions.wantCancel({ by: 'temporal', reason: 'cancelled in Temporal' });
  });
  return CancellationScope.nonCancellable(async () => end(run, await undone(run)));
}

/** A repair that failed is undone as far as its runbook says how (invariant 12). */
async function undone(run: RunState): Promise<Ending> {
  const from = (run.input.carried as CarriedRun | undefined)?.rollback ?? null; // Only written here.
  const ending: Ending =
    from === null ? await carryOut(run) : { state: 'failed', reason: from.why };
  if (ending.state === 'cancelled') return calledOff(run, ending);
  if (ending.state !== 'failed' || run.targets.length === 0) return ending;
  // Called off while the last proof ran: whoever did decides.
  if (run.cancelRequest !== null) return ending;
  const why = ending.reason ?? 'the repair failed';
  const rollback = await rollBack(run, why, from);
  if (rollback.kind === 'nothing') return ending;
  return { state: rollback.kind, reason: `${why}; ${rollback.figures}` };
}

/** Whoever calls a repair off decides what is to become of its hosts: nothing is undone. */
function calledOff(run: RunState, ending: Ending): Ending {
  const reason = ending.reason ?? run.cancelRequest?.reason ?? null;
  const { steps } = run.input.runbook;
  const ran = steps.some(
    ({ name, rollback }) =>
      rollback !== undefined && run.knownLedgerOf(name)?.letters().match(/[^hk]/) != null,
  );
  if (!ran) return { state: 'cancelled', reason };
  const words = 'nothing was undone';
  return { state: 'cancelled', reason: reason === null ? words : `${reason}; ${words}` };
}

async function carryOut(run: RunState): Promise<Ending> {
  const { refusal } = run.input;
  if (refusal !== undefined) return heldFor(refusal);
  const carried = run.input.carried as CarriedRun | undefined; // Only this workflow writes it.
  if (carried === undefined) {
    const plan = await planRepair(run);
    if (plan === null || run.cancelRequest !== null) return cancelled;
    if (plan.kind === 'held') return heldFor(plan);
    // An older activity worker knows no guards, and without domains nobody would be asked.
    if (run.input.policy.guards !== undefined && plan.domains === undefined) return unguarded;
    if (run.approval !== null && plan.digest === undefined) return unguarded;
    run.planned(plan);
    const refusal = whyNothingStarts(run);
    if (refusal !== null) return endingOfRefusal(refusal);
    if (run.input.policy.autonomy === 'observe') return observed(run);
    const notBegun = await passApproval(run, plan, () => planRepair(run, 'plan again'));
    if (notBegun !== null) return notBegun;
    run.enter(run.holds === null ? 'running' : 'admitting');
  }
  const outcome = await rollOut(run, carried?.next ?? { step: 0, batch: 0 });
  if (outcome.kind !== 'done') return endingOf(outcome);
  run.enter('verifying', { deadlineMs: Date.now() + run.input.runbook.verify.withinMs });
  return proven(run, await verify(run, outcome.positions));
}

/** A step that went on with too many failures is no success, whatever the hosts that came through prove. */
function proven(run: RunState, verdict: Verdict): Ending {
  const { overruns } = run.rollout;
  const verdictReason = verdict.kind === 'failed' ? verdict.reason : null;
  const shortfalls = [verdictReason, neverAdmitted(run), leftUntried(run)];
  const why = [...overruns, ...shortfalls.filter((reason) => reason !== null)];
  const state = overruns.length > 0 ? 'failed' : verdict.kind;
  return { state, reason: why.length === 0 ? null : why.join('; ') };
}

/** Nothing kept it from starting but its policy, which wants to see what it would do. */
function observed(run: RunState): Ending {
  run.outlook = outlookOf(run);
  const hosts = run.targets.length === 1 ? 'host' : 'hosts';
  const would = `would run ${run.input.runbook.name} on ${run.targets.length} ${hosts}`;
  return { state: 'held', reason: `observed: ${would}: ${outlookInWords(run.outlook)}` };
}

const unguarded: Ending = {
  state: 'held',
  reason: 'plan_failed: the worker of activities is older than the one of workflows',
};

/** Null if it was cancelled meanwhile. A plan that cannot be made is a refusal with its reason (invariant 6). */
async function planRepair(run: RunState, word = 'plan'): Promise<Plan | null> {
  const { policy, episodes, remediationId, clocks } = run.input;
  const summary = `${word} · ${alertsInWords(episodes)} · policy ${policy.name}`;
  const hostValues = namesUsed(run.input.runbook, 'host');
  const asked = {
    remediationId,
    targets: policy.targets,
    episodes,
    ...(policy.guards === undefined ? {} : { guards: policy.guards }),
    ...(hostValues.length === 0 ? {} : { hostValues }),
    ...(run.approval === null ? {} : { signed: signedOf(run.input) }),
  };
  try {
    return await unlessCancelled(run, () =>
      atOnceOrQueued(
        () => planningAtOnce({ summary }).planTargets(asked),
        () => planning(clocks, { summary }).planTargets(asked),
      ),
    );
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const word = lastWordOf(error);
    const reason = word?.type === 'inventory_incomplete' ? word.type : 'plan_failed';
    const detail = planFailureText(word?.message ?? 'no answer in time', clocks.planMs);
    return { kind: 'held', reason, detail };
  }
}

const scriptDigestsOf = ({ runbook }: RemediationInput): readonly string[] =>
  runbook.steps.flatMap(({ script, probe, rollback }) => [
    script.digest,
    ...(probe === undefined ? [] : [probe.script.digest]),
    ...(rollback === undefined ? [] : [rollback.script.digest]),
  ]);

/** What an approval signs beside hosts and arguments. */
const signedOf = (input: RemediationInput) => ({
  policyDigest: input.policy.digest,
  runbookDigest: input.runbook.digest,
  scriptDigests: scriptDigestsOf(input),
});

function endingOf(outcome: Exclude<RolloutOutcome, { kind: 'done' }>): Ending {
  switch (outcome.kind) {
    case 'failed':
    case 'held':
      return { state: outcome.kind, reason: outcome.reason };
    case 'cancelled':
      return cancelled;
    case 'superseded':
      return superseded;
    default:
      return outcome satisfies never;
  }
}

async function end(run: RunState, ending: Ending): Promise<RemediationResult> {
  const { input } = run;
  const calledOffBy = ending.state === 'cancelled' ? run.cancelRequest : null;
  const { reason } = ending;
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
      scriptDigests: scriptDigestsOf(input),
      episodes: input.episodes,
      targets: run.targets,
      startedAtMs: run.startedAtMs,
      endedAtMs: Date.now(),
      cancelledBy: calledOffBy?.by ?? null,
      ...(input.policy.breaker === undefined ? {} : { breaker: input.policy.breaker }),
      ...(input.canaryOnly ? { canaryOnly: true } : {}),
    },
  ]);
  await escalate(run, ending);
  return result;
}

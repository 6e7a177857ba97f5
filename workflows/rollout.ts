import { condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { FrozenScript, FrozenStep } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import type { PlannedTarget } from '../contracts/temporal.ts';
import {
  type BatchLedger,
  batchesOf,
  failuresAllowed,
  isFailedLetter,
  isSuccessLetter,
} from '../domain/batch-ledger.ts';
import { isRefusedForNow, notThereStatus } from '../domain/job.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { fillTargets } from '../domain/script-values.ts';
import { type AttemptOutcome, runAttempt } from './batch.ts';
import type { remediation } from './remediation.workflow.ts';
import type { RunState } from './run-state.ts';

/** How the steps went. `done` says which hosts came through all of them. */
export type RolloutOutcome =
  | { readonly kind: 'done'; readonly positions: readonly number[] }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'held'; readonly reason: string }
  | { readonly kind: 'cancelled' }
  /** Every alert was over before anything ran. */
  | { readonly kind: 'superseded' };

type StepPlace = { readonly step: FrozenStep; readonly number: number };
type BatchPlace = StepPlace & { readonly batch: number; readonly batches: number };

/**
 * Runs the steps one after another, each over its batches in order. The next batch starts only
 * after the one before came back with few enough failures (invariant 8), never after a cancel,
 * and never for hosts whose alerts are over (invariant 7). Hosts that fail a step are left out of
 * the next one.
 */
export async function rollOut(
  run: RunState,
  from: { readonly step: number; readonly batch: number },
): Promise<RolloutOutcome> {
  const { steps } = run.input.runbook;
  for (const [index, step] of steps.entries()) {
    if (index < from.step) continue;
    const place = { step, number: index + 1 };
    const firstBatch = index === from.step ? from.batch : 0;
    const stopped = await runStep(run, { place, index, firstBatch });
    if (stopped !== null) return stopped;
  }
  const positions = toBeProven(run);
  if (positions.length > 0) return { kind: 'done', positions };
  const hasFailed =
    run.hostsFailed() > 0 || ledgersOf(run).some((ledger) => ledger.cancelled() > 0);
  return hasFailed ? { kind: 'failed', reason: 'no host came through' } : { kind: 'superseded' };
}

const ledgersOf = (run: RunState): readonly BatchLedger[] =>
  run.input.runbook.steps.map(({ name }) => run.ledgerOf(name));

/** Hosts that something was done to and that came through; some may have left half-way (rule R4). */
function toBeProven(run: RunState): readonly number[] {
  const ledgers = ledgersOf(run);
  const isLost = (letter: string) => isFailedLetter(letter) || letter === 'c';
  return run.targets.flatMap((_, position) => {
    const letters = ledgers.map((ledger) => ledger.letterAt(position));
    return letters.some(isSuccessLetter) && !letters.some(isLost) ? [position] : [];
  });
}

/** Positions that succeeded in the first `steps` steps. */
function comingThrough(run: RunState, steps: number): readonly number[] {
  const ledgers = run.input.runbook.steps.slice(0, steps).map(({ name }) => run.ledgerOf(name));
  return run.targets
    .map((_, position) => position)
    .filter((position) => ledgers.every((ledger) => isSuccessLetter(ledger.letterAt(position))));
}

async function runStep(
  run: RunState,
  of: { readonly place: StepPlace; readonly index: number; readonly firstBatch: number },
): Promise<RolloutOutcome | null> {
  const { step } = of.place;
  const planned = comingThrough(run, of.index);
  const ledger = run.ledgerOf(step.name);
  const allowed = failuresAllowed(step.rollout.maxFailures, planned.length);
  const batches = batchesOf(planned.length, step.rollout.batchSize);
  for (const [batch, at] of batches.entries()) {
    if (batch < of.firstBatch) continue;
    if (run.cancelRequest !== null) return { kind: 'cancelled' };
    const positions = at.flatMap((index) => planned[index] ?? []);
    const place = { ...of.place, batch: batch + 1, batches: batches.length };
    const held = await runBatch(run, place, positions);
    if (held !== null) return held;
    if (run.cancelRequest !== null) return { kind: 'cancelled' };
    const cancelled = ledger.cancelled();
    // Nobody cancelled the repair, so its task was: no positive answer either (invariant 8).
    if (ledger.failed() + cancelled > allowed) {
      const how = cancelled === 0 ? 'failed' : 'failed or were cancelled';
      const reason = `step ${step.name}: ${ledger.failed() + cancelled} hosts ${how}, ${allowed} may`;
      return { kind: 'failed', reason };
    }
    if (batch + 1 < batches.length) {
      await pause(run, step.rollout.soakMs, `soak · step ${of.place.number} ${step.name}`);
      if (run.cancelRequest !== null) return { kind: 'cancelled' };
      // After the soak, because the fresh history begins with the batch.
      await handOverIfLong(run, { step: of.index, batch: batch + 1 });
    }
  }
  return null;
}

/** A long rollout goes on in a fresh history (design 9); then this never returns. */
async function handOverIfLong(
  run: RunState,
  next: { readonly step: number; readonly batch: number },
): Promise<void> {
  const info = workflowInfo();
  const isLong = next.batch % limits.remediationBatchesMax === 0 || info.continueAsNewSuggested;
  if (isLong) await continueAsNew<typeof remediation>({ ...run.input, carried: run.carried(next) });
}

/** One batch with its attempts: failed hosts only, by class, with a growing pause between. */
async function runBatch(
  run: RunState,
  place: BatchPlace,
  positions: readonly number[],
): Promise<RolloutOutcome | null> {
  const { step } = place;
  const ledger = run.ledgerOf(step.name);
  let due = positions;
  for (let attempt = 1; attempt <= step.retry.attempts; attempt++) {
    const dropped = due.filter((position) => run.isDropped(position));
    ledger.skip(dropped);
    due = due.filter((position) => !run.isDropped(position));
    if (due.length === 0) return null;
    const outcome = await attemptAt(run, { place, attempt, positions: due });
    if (outcome.kind === 'held') return outcome;
    ledger.markEarlier(positions);
    ledger.record(due, outcome.letters);
    run.show();
    const undecided = await undecidedAfterProbe(run, { place, attempt, positions: due });
    due = ledger
      .retryable({
        positions: due,
        classes: step.retry.on,
        refusedForNow: refusedForNow(run, due, outcome),
      })
      .filter((position) => !undecided.has(position));
    if (due.length === 0 || attempt === step.retry.attempts) return null;
    const backoffMs = Math.min(step.retry.backoffMs * 2 ** (attempt - 1), 600_000);
    await pause(
      run,
      backoffMs,
      `back-off · step ${place.number} ${step.name} · ${due.length} hosts`,
    );
    if (run.cancelRequest !== null) return null;
  }
  return null;
}

type AttemptAt = {
  readonly place: BatchPlace;
  readonly attempt: number;
  readonly positions: readonly number[];
};

async function attemptAt(
  run: RunState,
  of: AttemptAt,
): Promise<(AttemptOutcome & { readonly kind: 'ran' }) | { kind: 'held'; reason: string }> {
  const { step, number, batch, batches } = of.place;
  const { targets, filled } = filledFor(run, step.script, of.positions);
  if (filled.kind === 'refused') {
    return { kind: 'held', reason: `${filled.reason}: ${filled.detail}` };
  }
  const outcome = await runAttempt(run, {
    step: step.name,
    batch,
    attempt: of.attempt,
    targets: filled.targets,
    action: step.script.action,
    timeoutMs: step.timeoutMs,
    outputBytes: limits.outputBytes,
    ...(step.expectReboot === undefined ? {} : { expectReboot: step.expectReboot }),
    label: `step ${number} ${step.name} · batch ${batch}/${batches} · ${hostsInWords(targets)} · try ${of.attempt}`,
    activity: 'submitTask',
  });
  return { kind: 'ran', ...outcome };
}

function filledFor(run: RunState, script: FrozenScript, positions: readonly number[]) {
  const targets = positions.flatMap((position): PlannedTarget[] => {
    const target = run.targets[position];
    return target === undefined ? [] : [target];
  });
  return { targets, filled: fillTargets({ script, targets, episodes: run.input.episodes }) };
}

/**
 * Asks the step's probe on hosts whose outcome is unknown, by one task: they are a part of a batch.
 * Where the effect is there the host has succeeded; where it is not the step may be tried again.
 * Returns the others of them, whose step is never run again blindly (invariant 2). Of a step without a
 * probe, none.
 */
async function undecidedAfterProbe(run: RunState, of: AttemptAt): Promise<ReadonlySet<number>> {
  const { step } = of.place;
  const ledger = run.ledgerOf(step.name);
  const unknown = of.positions.filter((position) => ledger.letterAt(position) === 'u');
  const undecided = new Set(step.contract === 'probe' ? unknown : []);
  if (undecided.size === 0 || run.cancelRequest !== null) return undecided;
  const outcome = await askProbe(run, { ...of, positions: unknown });
  for (const [index, position] of unknown.entries()) {
    const answer = answerOf(outcome, index, run.targets[position]?.agentId);
    if (answer === 'unclear') continue;
    if (answer === 'there') ledger.record([position], 's');
    undecided.delete(position);
  }
  run.show();
  return undecided;
}

async function askProbe(run: RunState, of: AttemptAt): Promise<AttemptOutcome> {
  const { step, number, batch, batches } = of.place;
  const nothing = {
    letters: '',
    failures: [],
    notThere: new Set<number>(),
    notNow: [],
    note: null,
  };
  if (step.probe === undefined) return nothing;
  const { targets, filled } = filledFor(run, step.probe.script, of.positions);
  // Filled in once before anything started; then it cannot be refused now.
  if (filled.kind === 'refused') return nothing;
  return runAttempt(run, {
    step: step.name,
    probe: true,
    batch,
    attempt: of.attempt,
    targets: filled.targets,
    action: step.probe.script.action,
    timeoutMs: step.probe.timeoutMs,
    outputBytes: limits.outputBytes,
    label: `probe of step ${number} ${step.name} · batch ${batch}/${batches} · ${hostsInWords(targets)} · try ${of.attempt}`,
    activity: 'probe',
  });
}

/** What a host's probe says of the step's effect. */
function answerOf(
  outcome: AttemptOutcome,
  index: number,
  agentId: string | undefined,
): 'there' | 'not_there' | 'unclear' {
  if (isSuccessLetter(outcome.letters.charAt(index))) return 'there';
  if (outcome.notThere.has(index)) return 'not_there';
  // An older gateway tells the status of the hosts that it names, and of no other.
  const failure = outcome.failures.find((each) => each.agentId === agentId);
  return failure?.state === 'failed' && failure.exitCode === notThereStatus
    ? 'not_there'
    : 'unclear';
}

/** Positions whose refusal says "not now". */
function refusedForNow(
  run: RunState,
  positions: readonly number[],
  outcome: AttemptOutcome,
): ReadonlySet<number> {
  const told = outcome.notNow.flatMap((index) => positions[index] ?? []);
  // An older gateway tells the reason of the hosts that it names, and of no other.
  const named = new Set(
    outcome.failures
      .filter(({ state, reason }) => isRefusedForNow(state, reason))
      .map(({ agentId }) => agentId),
  );
  const known = positions.filter((position) => named.has(run.targets[position]?.agentId ?? ''));
  return new Set([...told, ...known]);
}

/** Waits, unless the run is cancelled meanwhile. */
async function pause(run: RunState, ms: number, summary: string): Promise<void> {
  if (ms > 0) await condition(() => run.cancelRequest !== null, ms, { summary });
}

import { type BatchLedger, isFailedLetter, isSuccessLetter } from '../domain/batch-ledger.ts';
import { mainReason, refusalsInWords, remedyFor } from '../domain/refusal-words.ts';
import type { RunState } from './run-state.ts';
import { StepRollout, type StepStop } from './step-rollout.ts';

/** How the steps went. `done` says which hosts came through all of them. */
export type RolloutOutcome =
  | { readonly kind: 'done'; readonly positions: readonly number[] }
  | StepStop
  /** Every alert was over before anything ran. */
  | { readonly kind: 'superseded' };

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
  for (const index of steps.keys()) {
    if (index < from.step) continue;
    const firstBatch = index === from.step ? from.batch : 0;
    const planned = comingThrough(run, index);
    const stopped = await new StepRollout(run, index, planned).from(firstBatch);
    if (stopped !== null) return stopped;
  }
  const { givenUp } = run.rollout;
  if (givenUp !== null && ledgersOf(run).every(isUntouched)) {
    const reason = mainReason(givenUp);
    return { kind: 'held', reason: `${reason}: ${neverAdmitted(run)}; ${remedyFor(reason)}` };
  }
  const positions = toBeProven(run);
  if (positions.length > 0) return { kind: 'done', positions };
  const hasFailed =
    run.hostsFailed() > 0 || ledgersOf(run).some((ledger) => ledger.cancelled() > 0);
  return hasFailed ? { kind: 'failed', reason: 'no host came through' } : { kind: 'superseded' };
}

const ledgersOf = (run: RunState): readonly BatchLedger[] =>
  run.input.runbook.steps.map(({ name }) => run.ledgerOf(name));

const isUntouched = (ledger: BatchLedger): boolean => /^[hk]*$/.test(ledger.letters());

/** How many hosts were never admitted and why, or null if all were that had to be. */
export function neverAdmitted(run: RunState): string | null {
  const { givenUp } = run.rollout;
  if (givenUp === null) return null;
  const [first] = ledgersOf(run);
  const hosts = run.targets.filter(
    (_, position) => first?.letterAt(position) === 'h' && !run.isLeftOut(position),
  ).length;
  const minutes = Math.round(run.input.clocks.admitTimeoutMs / 60_000);
  return `${hosts} of ${run.targets.length} hosts were not admitted within ${minutes} min: ${refusalsInWords(givenUp)}`;
}

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
    .filter((position) => !run.isLeftOut(position))
    .filter((position) => ledgers.every((ledger) => isSuccessLetter(ledger.letterAt(position))));
}

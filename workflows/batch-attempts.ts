import type { FrozenScript, FrozenStep } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import type { PlannedTarget } from '../contracts/temporal.ts';
import { isSuccessLetter } from '../domain/batch-ledger.ts';
import { isRefusedForNow, notThereStatus } from '../domain/job.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { fillTargets } from '../domain/script-values.ts';
import { type AttemptOutcome, runAttempt } from './batch.ts';
import { waitUnlessCancelled } from './cancellable-wait.ts';
import type { RunState } from './run-state.ts';

export type StepPlace = {
  readonly step: FrozenStep;
  readonly number: number;
  /** The name of the step that this one undoes. */
  readonly undoes?: string;
};
/** Counted from 1; `batches` grows when hosts must wait for a later one. */
export type BatchPlace = StepPlace & { readonly batch: number; readonly batches: number };

/** One batch with its attempts: failed hosts only, by class, with a growing pause between. */
export async function runBatch(
  run: RunState,
  place: BatchPlace,
  positions: readonly number[],
): Promise<{ readonly kind: 'held'; readonly reason: string } | null> {
  const { step } = place;
  const ledger = run.ledgerOf(step.name);
  let due = positions;
  for (let attempt = 1; attempt <= step.retry.attempts; attempt++) {
    // What was done to a host is undone also when its alerts are over.
    const isDropped = (position: number) => place.undoes === undefined && run.isDropped(position);
    const dropped = due.filter(isDropped);
    ledger.skip(dropped);
    due = due.filter((position) => !isDropped(position));
    if (due.length === 0) return null;
    const outcome = await attemptAt(run, { place, attempt, positions: due });
    if (outcome.kind === 'held') return outcome;
    ledger.markEarlier(positions);
    ledger.record(due, outcome.letters);
    ledger.began(outcome.begun.flatMap((at) => due[at] ?? []));
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
    await waitUnlessCancelled(
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
    ...(of.place.undoes === undefined ? {} : { undoes: of.place.undoes }),
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
    begun: [],
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

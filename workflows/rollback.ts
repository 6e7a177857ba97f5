import { condition } from '@temporalio/workflow';
import type { FrozenStep, FrozenUndo } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import { batchesOf, isNeverStarted } from '../domain/batch-ledger.ts';
import { fillTargets } from '../domain/script-values.ts';
import { submitsOf } from '../domain/submit-size.ts';
import { dueForUndo, type UndoneStep, undoFigures } from '../domain/undo-plan.ts';
import { runBatch } from './batch-attempts.ts';
import { handOverIfLong } from './fresh-history.ts';
import type { CarriedRun, RunState } from './run-state.ts';

/** How undoing went; `nothing`: there was nothing that could be undone, and nothing was touched. */
export type Rollback =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'rolled_back' | 'failed'; readonly figures: string };

type Undoable = { readonly step: FrozenStep; readonly undo: FrozenUndo; readonly number: number };

/** The name of a step's undo in progress, keys and tables; no step may be named so. */
const undoName = ({ name }: FrozenStep): string => `undo-${name}`;

/**
 * Undoes the steps of a repair that failed, the last one first, on hosts where they may have run and
 * whose proof did not pass. Those hosts are still held, so nobody is asked for them again; a pause and
 * the kill switch hold it up as they do a step. It goes on over hosts that fail, and counts them.
 */
export async function rollBack(
  run: RunState,
  why: string,
  from: NonNullable<CarriedRun['rollback']> | null,
): Promise<Rollback> {
  const undoables = undoablesOf(run);
  if (undoFigures(positionOf(run, undoables)).due === 0) return { kind: 'nothing' };
  run.enter('rolling_back', { reason: why });
  for (const index of [...undoables.keys()].reverse()) {
    const undoable = undoables[index];
    if (undoable === undefined || (from !== null && undoable.number > from.step)) continue;
    const dueNow = () => dueForUndo({ ...positionOf(run, undoables), index });
    const firstBatch = from?.step === undoable.number ? from.batch : 1;
    await undoStep(run, undoable, { dueNow, firstBatch, why });
  }
  const { due, undone } = undoFigures(positionOf(run, undoables));
  return due === undone
    ? { kind: 'rolled_back', figures: `undone on ${undone} hosts` }
    : {
        kind: 'failed',
        figures: `undone on ${undone} of ${due} hosts; the others are as the repair and its undo left them`,
      };
}

function undoablesOf(run: RunState): readonly Undoable[] {
  return run.input.runbook.steps.flatMap((step, at) =>
    step.rollback === undefined ? [] : [{ step, undo: step.rollback, number: at + 1 }],
  );
}

function positionOf(run: RunState, undoables: readonly Undoable[]) {
  const steps = undoables.map(
    ({ step }): UndoneStep => ({
      ledger: run.knownLedgerOf(step.name),
      undo: run.knownLedgerOf(undoName(step)),
    }),
  );
  return { hosts: run.targets.length, steps, proofs: run.knownLedgerOf('verify') };
}

async function undoStep(
  run: RunState,
  undoable: Undoable,
  of: {
    readonly dueNow: () => readonly number[];
    readonly firstBatch: number;
    readonly why: string;
  },
): Promise<void> {
  let batch = of.firstBatch;
  // Hosts that a stop kept from starting are due once more.
  for (let due = of.dueNow(); due.length > 0; due = of.dueNow()) {
    const batches = batchesOfUndo(run, undoable.undo, due);
    const last = batch + batches.length - 1;
    for (const positions of batches) {
      await passPause(run, of.why);
      await undoBatch(run, undoable, { positions, batch, batches: last });
      batch += 1;
      const rollback = { why: of.why, step: undoable.number, batch };
      await handOverIfLong(run, batch, () => ({
        ...run.carried({ step: 0, batch: 0 }),
        rollback,
      }));
    }
  }
}

async function undoBatch(
  run: RunState,
  { step, undo, number }: Undoable,
  of: {
    readonly positions: readonly number[];
    readonly batch: number;
    readonly batches: number;
  },
): Promise<void> {
  const { positions, ...place } = of;
  run.decisions.started();
  run.takeWasStopped();
  const held = await runBatch(
    run,
    { step: stepOf(step, undo), number, undoes: step.name, ...place },
    positions,
  );
  const ledger = run.ledgerOf(undoName(step));
  // It was filled in when all began; if it cannot be now, nothing ran.
  if (held !== null) ledger.record(positions, 'r'.repeat(positions.length));
  if (!run.takeWasStopped()) return;
  ledger.restore(positions.filter((position) => isNeverStarted(ledger.letterAt(position))));
}

/** As large as a submit can be: these hosts are held together already. */
function batchesOfUndo(
  run: RunState,
  undo: FrozenUndo,
  due: readonly number[],
): readonly (readonly number[])[] {
  const targets = due.flatMap((position) => run.targets[position] ?? []);
  const filled = fillTargets({ script: undo.script, targets, episodes: run.input.episodes });
  const batches =
    filled.kind === 'refused'
      ? batchesOf(due.length, limits.batchHostsDefault)
      : submitsOf({ action: undo.script.action, targets: filled.targets });
  return batches.map((at) => at.flatMap((each) => due[each] ?? []));
}

const stepOf = (step: FrozenStep, { script, timeoutMs, contract, retry }: FrozenUndo) => ({
  name: undoName(step),
  ...{ script, timeoutMs, contract, retry, rollout: step.rollout },
});

async function passPause(run: RunState, why: string): Promise<void> {
  const { pause } = run.decisions;
  if (pause === null || run.decisions.mayStart) return;
  run.enter('rolling_back', {
    reason: `paused: ${pause.reason} (${pause.by}); it waits for resume or confirmBatch`,
  });
  await condition(() => run.decisions.mayStart);
  run.enter('rolling_back', { reason: why });
}

import { type BatchLedger, isSuccessLetter } from './batch-ledger.ts';

/** A step that can be undone, with what became of its hosts and of its undo so far. */
export type UndoneStep = {
  /** Null if it never began. */
  readonly ledger: BatchLedger | null;
  readonly undo: BatchLedger | null;
};

/**
 * Hosts on which the step at `index` is to be undone now: it may have run there, they are not proven,
 * and every later step is undone there or never ran. So a host that was never submitted is never
 * touched, and one whose undo failed is left as it is for a person to see.
 */
export function dueForUndo(of: {
  readonly hosts: number;
  /** In the order in which they ran. */
  readonly steps: readonly UndoneStep[];
  readonly index: number;
  readonly proofs: BatchLedger | null;
}): readonly number[] {
  const step = of.steps[of.index];
  const later = of.steps.slice(of.index + 1);
  if (step === undefined) return [];
  return Array.from({ length: of.hosts }, (_, position) => position).filter(
    (position) =>
      mayHaveRun(step, position) &&
      !isSuccessLetter(of.proofs?.letterAt(position) ?? 'h') &&
      (step.undo?.letterAt(position) ?? 'h') === 'h' &&
      later.every((each) => isUndone(each, position)),
  );
}

const mayHaveRun = ({ ledger }: UndoneStep, position: number): boolean =>
  ledger?.mayHaveRun(position) === true;

const isUndone = (step: UndoneStep, position: number): boolean =>
  !mayHaveRun(step, position) || isSuccessLetter(step.undo?.letterAt(position) ?? 'h');

/** On how many hosts something is to be undone, and on how many of them all of it is. */
export function undoFigures(of: {
  readonly hosts: number;
  readonly steps: readonly UndoneStep[];
  readonly proofs: BatchLedger | null;
}): { readonly due: number; readonly undone: number } {
  const due = Array.from({ length: of.hosts }, (_, position) => position).filter(
    (position) =>
      !isSuccessLetter(of.proofs?.letterAt(position) ?? 'h') &&
      of.steps.some((step) => mayHaveRun(step, position)),
  );
  const undone = due.filter((position) => of.steps.every((step) => isUndone(step, position)));
  return { due: due.length, undone: undone.length };
}

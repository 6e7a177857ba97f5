import { isSuccessLetter } from '../domain/batch-ledger.ts';
import { provesBetween } from '../domain/start-refusal.ts';
import { prove } from './proof.ts';
import type { RunState } from './run-state.ts';

/** `failing`: some host did not pass, or the repair was cancelled meanwhile. */
export type ProofBetween = 'nothing' | 'proven' | 'failing';

/**
 * Proves the hosts that came through so far while others still wait, and so frees them (rule X2). Not
 * in a runbook of several steps: its probe says nothing before the last one.
 */
export async function proveTouched(run: RunState): Promise<ProofBetween> {
  const [step] = run.input.runbook.steps;
  if (step === undefined || !provesBetween(run)) return 'nothing';
  const ledger = run.ledgerOf(step.name);
  const proofs = run.knownLedgerOf('verify');
  const due = run.targets.flatMap((_, position) =>
    isSuccessLetter(ledger.letterAt(position)) && (proofs?.letterAt(position) ?? 'h') === 'h'
      ? [position]
      : [],
  );
  if (due.length === 0) return 'nothing';
  const failing = new Set(await prove(run, due));
  run.holds?.free(due.filter((position) => !failing.has(position)));
  return failing.size > 0 ? 'failing' : 'proven';
}

import { isSuccessLetter } from '../domain/batch-ledger.ts';
import { waitUnlessCancelled } from './cancellable-wait.ts';
import { askPages } from './page-proof.ts';
import { soakOver } from './proof-soak.ts';
import type { RunState } from './run-state.ts';
import { askScript } from './script-proof.ts';
import { passStop } from './stop-wait.ts';

/** A probe of an hour's `within` at one a minute; keeps a history far below its limits. */
const probeAttemptsMax = 60;

/** One round of a probe: batches are counted on from `firstBatch`, so that no two rounds share a key. */
export type ProofRound = { readonly attempt: number; readonly firstBatch: number };

/**
 * Asks the runbook's probe on hosts, again on those that do not pass until `within` is over or the
 * repair is cancelled. With a soak those that passed are asked once more after it, and none of their
 * alerts may have come back. Returns the positions that did not pass.
 */
export async function prove(
  run: RunState,
  positions: readonly number[],
): Promise<readonly number[]> {
  const failing = await askUntilOver(run, positions);
  const { soakMs = 0 } = run.input.runbook.verify;
  if (soakMs === 0) return failing;
  const isFailing = new Set(failing);
  const passed = positions.filter((position) => !isFailing.has(position));
  return passed.length === 0 ? failing : [...failing, ...(await soak(run, passed, soakMs))];
}

async function askUntilOver(
  run: RunState,
  positions: readonly number[],
): Promise<readonly number[]> {
  const { withinMs } = run.input.runbook.verify;
  let endMs = Date.now() + withinMs;
  const firstBatch = run.probeBatches;
  let due = positions;
  for (let attempt = 1; ; attempt++) {
    endMs += await passStop(run);
    if (run.stop !== null) return due;
    due = await ask(run, due, { attempt, firstBatch });
    const leftMs = endMs - Date.now();
    if (due.length === 0 || leftMs <= 0 || attempt >= probeAttemptsMax) return due;
    if (run.cancelRequest !== null) return due;
    const waitMs = Math.min(
      run.input.clocks.probeRetryMs * 2 ** Math.min(attempt - 1, 4),
      60_000,
      leftMs,
    );
    await waitUnlessCancelled(
      run,
      waitMs,
      `next probe in ${Math.ceil(waitMs / 1_000)} s · ${due.length} hosts`,
    );
    if (run.cancelRequest !== null) return due;
  }
}

/** Returns those whose proof did not last. Of a repair that is cancelled meanwhile, all: nothing is proven. */
async function soak(
  run: RunState,
  passed: readonly number[],
  soakMs: number,
): Promise<readonly number[]> {
  const proofs = run.ledgerOf('verify');
  const returned = await soakOver(run, passed, soakMs);
  // They passed once; what counts is whether they do now.
  proofs.restore(passed);
  if (run.cancelRequest !== null) return passed;
  proofs.record(returned, 'f'.repeat(returned.length));
  const isBack = new Set(returned);
  const due = passed.filter((position) => !isBack.has(position));
  if (due.length === 0) return returned;
  return [...returned, ...(await ask(run, due, { attempt: 1, firstBatch: run.probeBatches }))];
}

/** Asks once, writes the letters down and returns the positions that did not pass. */
async function ask(
  run: RunState,
  positions: readonly number[],
  round: ProofRound,
): Promise<readonly number[]> {
  const { probe } = run.input.runbook.verify;
  if (probe === null) return [];
  if ('http' in probe) await askPages(run, { probe, positions, round });
  else await askScript(run, { probe, positions, round });
  const proofs = run.ledgerOf('verify');
  return positions.filter((position) => !isSuccessLetter(proofs.letterAt(position)));
}

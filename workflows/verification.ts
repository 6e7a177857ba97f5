import { condition } from '@temporalio/workflow';
import type { FrozenScript } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import type { TaskTarget } from '../contracts/task.ts';
import type { PlannedTarget } from '../contracts/temporal.ts';
import { batchesOf, isSuccessLetter } from '../domain/batch-ledger.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { fillTargets } from '../domain/script-values.ts';
import { submitsOf } from '../domain/submit-size.ts';
import { runAttempt } from './batch.ts';
import { waitUnlessCancelled } from './cancellable-wait.ts';
import type { RunState } from './run-state.ts';
import { passStop } from './stop-wait.ts';

/** Whether the repair is proven (invariant 12). */
export type Verdict =
  | { readonly kind: 'verified' }
  | { readonly kind: 'resolved' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Proves the repair: by the runbook's probe on every host that came through and was not proven on the
 * way; without a probe by the sender's word that every alert is over. Exit code 0 of the repair alone
 * is no proof.
 */
export async function verify(run: RunState, positions: readonly number[]): Promise<Verdict> {
  const { probe, withinMs } = run.input.runbook.verify;
  if (probe === null) return waitForResolved(run, withinMs);
  const proofs = run.ledgerOf('verify');
  const due = positions.filter((position) => !isSuccessLetter(proofs.letterAt(position)));
  const failing = due.length === 0 ? [] : await prove(run, due);
  return failing.length === 0
    ? { kind: 'verified' }
    : { kind: 'failed', reason: `verification: the probe fails on ${failing.length} hosts` };
}

/**
 * Asks the runbook's probe on hosts, again on those that do not pass until `within` is over or the
 * repair is cancelled; returns the positions that did not pass.
 */
export async function prove(
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
    due = await probeHosts(run, due, { attempt, firstBatch });
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

/** A probe of an hour's `within` at one a minute; keeps a history far below its limits. */
const probeAttemptsMax = 60;

async function waitForResolved(run: RunState, withinMs: number): Promise<Verdict> {
  const isOver = await condition(() => run.allResolved(), withinMs, {
    summary: `waiting for resolved · ${Math.ceil(withinMs / 1_000)} s`,
  });
  return isOver
    ? { kind: 'resolved' }
    : { kind: 'failed', reason: 'verification: the alert did not resolve in time' };
}

/**
 * Probes the hosts once, batch by batch; returns the positions that did not pass. Batches are counted
 * on from `firstBatch`, so that no two proofs of a repair share a key.
 */
async function probeHosts(
  run: RunState,
  positions: readonly number[],
  of: { readonly attempt: number; readonly firstBatch: number },
): Promise<readonly number[]> {
  const { probe } = run.input.runbook.verify;
  if (probe === null) return [];
  const failing: number[] = [];
  const ledger = run.ledgerOf('verify');
  const targets = positions.flatMap((position) => run.targets[position] ?? []);
  // The step before was filled from the same alerts, and this script was when it all began.
  const filled = fillTargets({ script: probe.script, targets, episodes: run.input.episodes });
  if (filled.kind === 'refused') {
    ledger.record(positions, 'r'.repeat(positions.length));
    return positions;
  }
  const batches =
    run.domains === null
      ? batchesOf(positions.length, limits.batchHostsDefault)
      : submitsOf({ action: probe.script.action, targets: filled.targets });
  for (const [index, at] of batches.entries()) {
    const letters = await probeBatch(run, {
      script: probe.script,
      timeoutMs: probe.timeoutMs,
      targets: at.flatMap((each) => filled.targets[each] ?? []),
      names: at.flatMap((each) => targets[each] ?? []),
      batch: of.firstBatch + index + 1,
      batches: of.firstBatch + batches.length,
      attempt: of.attempt,
    });
    const batchPositions = at.flatMap((each) => positions[each] ?? []);
    ledger.record(batchPositions, letters);
    failing.push(...batchPositions.filter((_, each) => !isSuccessLetter(letters.charAt(each))));
  }
  run.probeBatches = Math.max(run.probeBatches, of.firstBatch + batches.length);
  return failing;
}

async function probeBatch(
  run: RunState,
  of: {
    readonly script: FrozenScript;
    readonly timeoutMs: number;
    readonly targets: readonly TaskTarget[];
    readonly names: readonly PlannedTarget[];
    readonly batch: number;
    readonly batches: number;
    readonly attempt: number;
  },
): Promise<string> {
  const outcome = await runAttempt(run, {
    step: 'verify',
    batch: of.batch,
    attempt: of.attempt,
    targets: of.targets,
    action: of.script.action,
    timeoutMs: of.timeoutMs,
    outputBytes: limits.outputBytes,
    label: `verify · batch ${of.batch}/${of.batches} · ${hostsInWords(of.names)} · try ${of.attempt}`,
    activity: 'probe',
  });
  return outcome.letters;
}

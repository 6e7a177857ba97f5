import { condition } from '@temporalio/workflow';
import { limits } from '../contracts/limits.ts';
import type { PlannedTarget } from '../contracts/temporal.ts';
import { batchesOf, isSuccessLetter } from '../domain/batch-ledger.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { fillTargets } from '../domain/script-values.ts';
import { runAttempt } from './batch.ts';
import type { RunState } from './run-state.ts';

/** Whether the repair is proven (invariant 12). */
export type Verdict =
  | { readonly kind: 'verified' }
  | { readonly kind: 'resolved' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Proves the repair: by the runbook's probe on every host that came through, tried again on those
 * that do not pass until `within` is over; without a probe by the sender's word that every alert
 * is over. Exit code 0 of the repair alone is no proof.
 */
export async function verify(run: RunState, positions: readonly number[]): Promise<Verdict> {
  const { probe, withinMs } = run.input.runbook.verify;
  if (probe === null) return waitForResolved(run, withinMs);
  const endMs = Date.now() + withinMs;
  let due = positions;
  for (let attempt = 1; ; attempt++) {
    due = await probeHosts(run, due, attempt);
    if (due.length === 0) return { kind: 'verified' };
    const leftMs = endMs - Date.now();
    if (leftMs <= 0 || attempt >= probeAttemptsMax) {
      return { kind: 'failed', reason: `verification: the probe fails on ${due.length} hosts` };
    }
    const waitMs = Math.min(
      run.input.clocks.probeRetryMs * 2 ** Math.min(attempt - 1, 4),
      60_000,
      leftMs,
    );
    await condition(() => false, waitMs, {
      summary: `next probe in ${Math.ceil(waitMs / 1_000)} s · ${due.length} hosts`,
    });
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

/** Probes the hosts once, batch by batch; returns the positions that did not pass. */
async function probeHosts(
  run: RunState,
  positions: readonly number[],
  attempt: number,
): Promise<readonly number[]> {
  const failing: number[] = [];
  const ledger = run.ledgerOf('verify');
  const batches = batchesOf(positions.length, limits.batchHostsMax);
  for (const [batch, at] of batches.entries()) {
    const batchPositions = at.flatMap((index) => positions[index] ?? []);
    const letters = await probeBatch(run, {
      positions: batchPositions,
      batch: batch + 1,
      batches: batches.length,
      attempt,
    });
    ledger.record(batchPositions, letters);
    failing.push(...batchPositions.filter((_, index) => !isSuccessLetter(letters.charAt(index))));
  }
  return failing;
}

async function probeBatch(
  run: RunState,
  of: {
    readonly positions: readonly number[];
    readonly batch: number;
    readonly batches: number;
    readonly attempt: number;
  },
): Promise<string> {
  const { probe } = run.input.runbook.verify;
  const targets = of.positions.flatMap((position): PlannedTarget[] => {
    const target = run.targets[position];
    return target === undefined ? [] : [target];
  });
  // The step before was filled from the same alerts; a probe may still name another label.
  const filled =
    probe === null
      ? null
      : fillTargets({ script: probe.script, targets, episodes: run.input.episodes });
  if (probe === null || filled === null || filled.kind === 'refused') {
    return 'r'.repeat(of.positions.length);
  }
  const outcome = await runAttempt(run, {
    step: 'verify',
    batch: of.batch,
    attempt: of.attempt,
    targets: filled.targets,
    action: probe.script.action,
    timeoutMs: probe.timeoutMs,
    outputBytes: limits.outputBytes,
    label: `verify · batch ${of.batch}/${of.batches} · ${hostsInWords(targets)} · try ${of.attempt}`,
    activity: 'probe',
  });
  return outcome.letters;
}

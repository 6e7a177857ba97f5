import type { FrozenScriptProbe } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import type { TaskTarget } from '../contracts/task.ts';
import type { PlannedTarget } from '../contracts/temporal.ts';
import { batchesOf } from '../domain/batch-ledger.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { fillTargets } from '../domain/script-values.ts';
import { submitsOf } from '../domain/submit-size.ts';
import { runAttempt } from './batch.ts';
import type { ProofRound } from './proof.ts';
import type { RunState } from './run-state.ts';

/** Runs the probe's script once on each of the hosts, batch by batch, and writes their letters down. */
export async function askScript(
  run: RunState,
  of: {
    readonly probe: FrozenScriptProbe;
    readonly positions: readonly number[];
    readonly round: ProofRound;
  },
): Promise<void> {
  const { probe, positions, round } = of;
  const ledger = run.ledgerOf('verify');
  const targets = positions.flatMap((position) => run.targets[position] ?? []);
  // The step before was filled from the same alerts, and this script was when it all began.
  const filled = fillTargets({ script: probe.script, targets, episodes: run.input.episodes });
  if (filled.kind === 'refused') {
    ledger.record(positions, 'r'.repeat(positions.length));
    return;
  }
  const batches =
    run.domains === null
      ? batchesOf(positions.length, limits.batchHostsDefault)
      : submitsOf({ action: probe.script.action, targets: filled.targets });
  for (const [index, at] of batches.entries()) {
    const letters = await probeBatch(run, {
      probe,
      targets: at.flatMap((each) => filled.targets[each] ?? []),
      names: at.flatMap((each) => targets[each] ?? []),
      batch: round.firstBatch + index + 1,
      batches: round.firstBatch + batches.length,
      attempt: round.attempt,
    });
    ledger.record(
      at.flatMap((each) => positions[each] ?? []),
      letters,
    );
  }
  run.probeBatches = Math.max(run.probeBatches, round.firstBatch + batches.length);
}

async function probeBatch(
  run: RunState,
  of: {
    readonly probe: FrozenScriptProbe;
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
    action: of.probe.script.action,
    timeoutMs: of.probe.timeoutMs,
    outputBytes: limits.outputBytes,
    label: `verify · batch ${of.batch}/${of.batches} · ${hostsInWords(of.names)} · try ${of.attempt}`,
    activity: 'probe',
  });
  return outcome.letters;
}

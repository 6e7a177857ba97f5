import { ActivityFailure } from '@temporalio/workflow';
import type { HttpProof } from '../contracts/activities.ts';
import type { FrozenHttpProbe } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import { batchesOf } from '../domain/batch-ledger.ts';
import { idempotencyKeyOf } from '../domain/ids.ts';
import { labelsInUrl } from '../domain/probe-url.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { labelsOfTarget } from '../domain/script-values.ts';
import { askingPages } from './activity-proxies.ts';
import type { ProofRound } from './proof.ts';
import type { RunState } from './run-state.ts';
import { passStop } from './stop-wait.ts';

type Pages = {
  readonly probe: FrozenHttpProbe;
  readonly positions: readonly number[];
  readonly round: ProofRound;
};

/**
 * Asks the page of each host once, batch by batch, and writes their letters down: no job runs on any of
 * them. What cannot be asked, because our own worker fails, is unknown and so has not passed.
 */
export async function askPages(run: RunState, { probe, positions, round }: Pages): Promise<void> {
  const ledger = run.ledgerOf('verify');
  const batches = batchesOf(positions.length, limits.batchHostsDefault);
  run.proofFails([]);
  for (const [index, at] of batches.entries()) {
    const due = at.flatMap((each) => positions[each] ?? []);
    const proof = await askBatch(run, {
      probe,
      positions: due,
      batch: round.firstBatch + index + 1,
      attempt: round.attempt,
    });
    ledger.record(due, proof.letters);
    run.proofFails(proof.failures.map((failure) => wordsOf(run, due, failure)));
  }
  run.probeBatches = Math.max(run.probeBatches, round.firstBatch + batches.length);
}

function wordsOf(
  run: RunState,
  positions: readonly number[],
  { at, detail }: HttpProof['failures'][number],
): string {
  const target = run.targets[positions[at] ?? -1];
  return `${target?.name ?? target?.agentId ?? ''}: ${detail}`;
}

async function askBatch(
  run: RunState,
  of: {
    readonly probe: FrozenHttpProbe;
    readonly positions: readonly number[];
    readonly batch: number;
    readonly attempt: number;
  },
): Promise<HttpProof> {
  await passStop(run);
  // Called off while it was stopped: nobody was asked, so no letter changes.
  if (run.stop !== null) return { letters: '', failures: [] };
  const { remediationId, episodes } = run.input;
  const { http, timeoutMs } = of.probe;
  const targets = of.positions.flatMap((position) => run.targets[position] ?? []);
  const key = idempotencyKeyOf({ remediationId, step: 'verify', ...of });
  const row = { batch: of.batch, attempt: of.attempt, taskKey: key };
  run.attempted('verify', { ...row, letters: '.'.repeat(targets.length) });
  const names = labelsInUrl(http.url);
  const hosts = targets.map((target) => {
    const found = labelsOfTarget({ names, target, episodes });
    // Found when it all began; a host without them is refused its url.
    return {
      agentId: target.agentId,
      labels: found.kind === 'values' ? [...found.values] : [],
    };
  });
  const rounds = Math.ceil(hosts.length / limits.probePagesAtOnce);
  const label = `verify · batch ${of.batch} · ${hostsInWords(targets)} · try ${of.attempt}`;
  const { probeHttp } = askingPages({ summary: label, withinMs: rounds * timeoutMs });
  let proof: HttpProof;
  try {
    proof = await probeHttp({ http, timeoutMs, hosts });
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    proof = { letters: 'u'.repeat(hosts.length), failures: [] };
  }
  run.attempted('verify', { ...row, letters: proof.letters });
  return proof;
}

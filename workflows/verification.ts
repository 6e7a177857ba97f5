import { condition } from '@temporalio/workflow';
import { isSuccessLetter } from '../domain/batch-ledger.ts';
import { areAlertsOver, isTrial } from './breaker-trial.ts';
import { prove } from './proof.ts';
import { soakOver } from './proof-soak.ts';
import type { RunState } from './run-state.ts';
import { sourceLiveness } from './source-liveness.ts';

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
  if (run.input.runbook.verify.probe === null) return waitForResolved(run, positions);
  const proofs = run.ledgerOf('verify');
  const due = positions.filter((position) => !isSuccessLetter(proofs.letterAt(position)));
  const failing = due.length === 0 ? [] : await prove(run, due);
  if (failing.length === 0) return { kind: 'verified' };
  return { kind: 'failed', reason: reasonOf(run, failing) };
}

function reasonOf(run: RunState, failing: readonly number[]): string {
  const returned = failing.filter((position) => run.hasReturned(position)).length;
  const fails = failing.length - returned;
  const why = [
    ...(fails > 0 ? [`the probe fails on ${fails} hosts${run.proofWords}`] : []),
    ...(returned > 0 ? [`the alerts of ${returned} hosts came back within the soak`] : []),
  ];
  return `verification: ${why.join('; ')}`;
}

async function waitForResolved(run: RunState, positions: readonly number[]): Promise<Verdict> {
  const { withinMs, soakMs = 0 } = run.input.runbook.verify;
  const { watchdog } = run.input.policy;
  const endMs = Date.now() + withinMs;
  for (let leftMs = withinMs; ; leftMs = Math.max(1, endMs - Date.now())) {
    const isOver = await condition(() => areAlertsOver(run, positions), leftMs, {
      summary: `waiting for resolved · ${Math.ceil(leftMs / 1_000)} s`,
    });
    if (!isOver) return failed('the alert did not resolve in time');
    if (watchdog === undefined) break;
    const liveness = await sourceLiveness(run, watchdog);
    if (liveness.kind === 'silent') return failed(liveness.reason);
    if (liveness.kind === 'alive') break;
  }
  if (soakMs === 0) return { kind: 'resolved' };
  const proven = isTrial(run) ? positions : run.targets.map((_, position) => position);
  const returned = await soakOver(run, proven, soakMs);
  return returned.length === 0
    ? { kind: 'resolved' }
    : failed('an alert came back within the soak');
}

const failed = (why: string): Verdict => ({ kind: 'failed', reason: `verification: ${why}` });

import type { BatchPlan } from '../domain/batch-plan.ts';
import type { RunState } from './run-state.ts';

// A repair that tries for a half-open breaker touches one host, whose outcome decides about the
// breaker: what the policy does to hosts is suspect until then.

/** Whether this repair only tries on one host. */
export const isTrial = (run: RunState): boolean => run.input.canaryOnly === true;

/**
 * The hosts of a trial one by one, the canaries first. All are in it, because the first may be held by
 * another repair or have no alert any more; the one that is touched is the last.
 */
export function trialBatches(plan: BatchPlan): BatchPlan {
  if (plan.kind === 'too_many_batches') return plan;
  return { kind: 'planned', batches: plan.batches.flat().map((position) => [position]) };
}

/** Whether the trial has had its host in the step: then nobody else follows. Never in another repair. */
export const isTried = (run: RunState, step: string): boolean =>
  isTrial(run) && /[^hk]/.test(run.ledgerOf(step).letters());

/** Whom a trial has not touched and why; null in another repair, and where nobody is left. */
export function leftUntried(run: RunState): string | null {
  const [first] = run.input.runbook.steps;
  if (!isTrial(run) || first === undefined) return null;
  const left = [...run.ledgerOf(first.name).letters()].filter((letter) => letter === 'h').length;
  if (left === 0) return null;
  return `${left} of ${run.targets.length} hosts were not touched: the breaker is half open, so one host tries; once it is closed, the next firing of the others is acted on`;
}

/** Whether the alerts that speak about a proof are over: in a trial those of the hosts that it touched. */
export function areAlertsOver(run: RunState, positions: readonly number[]): boolean {
  return isTrial(run) ? positions.every((position) => run.isResolved(position)) : run.allResolved();
}

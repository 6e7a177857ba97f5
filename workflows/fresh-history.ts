import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import { limits } from '../contracts/limits.ts';
import type { remediation } from './remediation.workflow.ts';
import type { CarriedRun, RunState } from './run-state.ts';

/**
 * After so many batches, or when Temporal says so, a repair goes on in a fresh history with what
 * `carried` gives (design 9); then this never returns.
 */
export async function handOverIfLong(
  run: RunState,
  batch: number,
  carried: () => CarriedRun,
): Promise<void> {
  const isLong =
    batch % limits.remediationBatchesMax === 0 || workflowInfo().continueAsNewSuggested;
  if (isLong) await continueAsNew<typeof remediation>({ ...run.input, carried: carried() });
}

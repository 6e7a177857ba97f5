import { condition } from '@temporalio/workflow';
import type { RunState } from './run-state.ts';

/**
 * Waits the soak of a proof; returns the hosts of which an alert came back meanwhile. Ends early when
 * that is so of all of them, or when the repair is cancelled.
 */
export async function soakOver(
  run: RunState,
  positions: readonly number[],
  soakMs: number,
): Promise<readonly number[]> {
  run.watchReturns();
  await condition(
    () => run.cancelRequest !== null || positions.every((position) => run.hasReturned(position)),
    soakMs,
    { summary: `soak of the proof · ${Math.ceil(soakMs / 1_000)} s · ${positions.length} hosts` },
  );
  return positions.filter((position) => run.hasReturned(position));
}

import { condition } from '@temporalio/workflow';
import type { RunState } from './run-state.ts';

/** Waits, unless the run is cancelled before or meanwhile. */
export async function waitUnlessCancelled(
  run: RunState,
  ms: number,
  summary: string,
): Promise<void> {
  if (ms > 0) await condition(() => run.cancelRequest !== null, ms, { summary });
}

import { CancellationScope, condition } from '@temporalio/workflow';
import type { RunState } from './run-state.ts';

/** Waits, unless the run is cancelled before or meanwhile. */
export async function waitUnlessCancelled(
  run: RunState,
  ms: number,
  summary: string,
): Promise<void> {
  if (ms > 0) await condition(() => run.cancelRequest !== null, ms, { summary });
}

/**
 * Makes a call, and waits for it no longer than until the run is cancelled: then null, and the call is
 * cancelled too. What it fails with is passed on.
 */
export async function unlessCancelled<T>(run: RunState, call: () => Promise<T>): Promise<T | null> {
  const scope = new CancellationScope();
  try {
    return await scope.run(() =>
      Promise.race([call(), condition(() => run.cancelRequest !== null).then(() => null)]),
    );
  } finally {
    scope.cancel();
  }
}

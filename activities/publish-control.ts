import type { ControlState } from '../contracts/control.ts';
import type { CrashPoints } from '../platform/crash-point.ts';

/** The cache that gateways read. `write` keeps the newer revision and returns the one that stands. */
export type ControlCache = { write(state: ControlState): Promise<number> };

/**
 * Puts the kill switch's state where gateways look; missing there means stopped (invariant 4).
 * Returns the revision that stands there now, which is higher than the state's if it was not taken.
 */
export async function publishControl(
  deps: { readonly control: ControlCache; readonly crash: CrashPoints<'activities'> },
  state: ControlState,
): Promise<number> {
  const standing = await deps.control.write(state);
  deps.crash('after-publish');
  return standing;
}

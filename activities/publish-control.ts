import type { ControlState } from '../contracts/temporal.ts';
import type { CrashPoints } from '../platform/crash-point.ts';

/** The cache that gateways read. `write` keeps the newer revision. */
export type ControlCache = { write(state: ControlState): Promise<void> };

/** Puts the kill switch's state where gateways look; missing there means stopped (invariant 4). */
export async function publishControl(
  deps: { readonly control: ControlCache; readonly crash: CrashPoints<'activities'> },
  state: ControlState,
): Promise<void> {
  await deps.control.write(state);
  deps.crash('after-publish');
}

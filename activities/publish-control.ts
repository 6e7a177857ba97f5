import type { ControlState } from '../contracts/temporal.ts';

/** The cache that gateways read. `write` keeps the newer revision. */
export type ControlCache = { write(state: ControlState): Promise<void> };

/** Puts the kill switch's state where gateways look; missing there means stopped (invariant 4). */
export const publishControl = (cache: ControlCache, state: ControlState): Promise<void> =>
  cache.write(state);

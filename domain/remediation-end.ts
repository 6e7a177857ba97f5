import type { RemediationEnd } from '../contracts/temporal.ts';

const ends: Readonly<Record<RemediationEnd, true>> = {
  verified: true,
  resolved: true,
  failed: true,
  rolled_back: true,
  cancelled: true,
  superseded: true,
  expired: true,
  held: true,
};

/** Whether nothing is done any more in this state, though its workflow may close a moment later. */
export const isRemediationEnd = (state: string): state is RemediationEnd =>
  Object.hasOwn(ends, state);

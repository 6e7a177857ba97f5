import type { RemediationEnd, RemediationPhase } from '../contracts/temporal.ts';

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

const phases: Readonly<Record<RemediationPhase, true>> = {
  planning: true,
  awaiting_approval: true,
  admitting: true,
  running: true,
  paused: true,
  verifying: true,
  rolling_back: true,
};

/** Every state that a remediation can be in, as it goes through them and then as it may end. */
export const remediationStates: readonly string[] = [...Object.keys(phases), ...Object.keys(ends)];

/** Whether nothing is done any more in this state, though its workflow may close a moment later. */
export const isRemediationEnd = (state: string): state is RemediationEnd =>
  Object.hasOwn(ends, state);

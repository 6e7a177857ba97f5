import type { ControlState } from '../contracts/control.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { StandingStop } from '../contracts/stop.ts';
import { FixpointError } from '../domain/errors.ts';
import { stopOf, stopRefusal, stopsOf } from '../domain/stop-scope.ts';

type Control = { read(): Promise<ControlState | null> };

/** What is stopped now. Rejects while the switch is not known, which means stopped (invariant 4). */
export const standingStops = (control: Control) => async (): Promise<readonly StandingStop[]> => {
  const state = await control.read();
  if (state !== null) return stopsOf(state);
  throw new FixpointError(
    'upstream_unavailable',
    'Redis has lost the kill switch; nobody is admitted until it is known again',
  );
};

/**
 * Why no repair of a policy is begun; null if one may be, or if that cannot be known now: a repair that
 * is begun touches nothing before it is admitted. The switch for everything begins them, and they
 * wait: their alerts may be over by the time it is allowed.
 */
export function refusalByStop(
  state: ControlState | null,
  policy: string,
  nowMs: number,
): GuardRefusal | null {
  const stop = stopOf(state?.stops ?? [], { policy });
  return stop === null ? null : stopRefusal(stop, nowMs);
}

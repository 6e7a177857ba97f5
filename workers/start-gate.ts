import type { GuardAnswer } from '../activities/index.ts';
import type { TryAnswer, TryBreakerUpdate } from '../contracts/breaker.ts';
import type { ControlState } from '../contracts/control.ts';
import type { Storm } from '../contracts/storm.ts';
import { breakerRefusal } from '../domain/breaker-refusal.ts';
import { FixpointError } from '../domain/errors.ts';
import { stormRefusal } from '../domain/storm-refusal.ts';
import type { Clock } from '../platform/clock.ts';
import type { PolicyStore } from './policy-store.ts';
import { refusalByStop } from './standing-stops.ts';

export type StartGateDeps = {
  readonly policies: PolicyStore;
  /** The storm that a policy is in now. Rejects if Redis does not answer. */
  readonly stormOf: (policy: string) => Promise<Storm | null>;
  readonly massWindowMs: number;
  /** The cache of the control workflow. */
  readonly control: { read(): Promise<ControlState | null> };
  /** Asks the control workflow itself. */
  readonly tryBreaker: (of: TryBreakerUpdate) => Promise<TryAnswer>;
  readonly clock: Clock;
};

/**
 * What keeps a repair of a policy from starting now, asked right before it starts: an alert may have
 * been handed to its mailbox before a window opened, a storm began or a breaker opened. Rejects if
 * Redis or Temporal do not answer, and then nothing starts.
 */
export function startGate(deps: StartGateDeps) {
  return async (of: TryBreakerUpdate): Promise<GuardAnswer> => {
    const now = deps.clock.now();
    const maintenance = deps.policies.maintenanceAt(of.policy, now);
    if (maintenance !== null) return maintenance;
    const control = deps.control.read();
    const stop = refusalByStop(await control.catch(() => null), of.policy, now);
    if (stop !== null) return stop;
    const storm = await deps.stormOf(of.policy);
    if (storm !== null) return stormRefusal(storm, deps.massWindowMs);
    return breakerAnswer(deps, await control, of);
  };
}

/** The cache says that a breaker is open; whether one may try only the control workflow can say. */
async function breakerAnswer(
  deps: StartGateDeps,
  state: ControlState | null,
  of: TryBreakerUpdate,
): Promise<GuardAnswer> {
  // Missing control state means stopped (invariant 4); it is put right within seconds.
  if (state === null) {
    throw new FixpointError('upstream_unavailable', 'whether a breaker is open is not known yet');
  }
  const cached = state.breakers?.find(({ policy }) => policy === of.policy);
  if (cached === undefined) return 'go';
  const now = deps.clock.now();
  if (now < cached.untilMs) return breakerRefusal(cached, now);
  const answer = await deps.tryBreaker(of);
  if (answer.kind === 'open') return breakerRefusal(answer.breaker, now);
  return answer.kind === 'canary' ? 'canary' : 'go';
}

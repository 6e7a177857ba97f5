import type { Breaker, BreakerSpec } from '../contracts/breaker.ts';
import type { GuardStanding } from '../contracts/guard-standing.ts';
import { breakerPhase } from './breaker.ts';
import { breakerRemedy } from './breaker-refusal.ts';
import { durationText } from './duration-text.ts';

/** Where the breaker of a policy stands; one that it does not have may be open by hand. */
export function breakerGuard(of: {
  readonly policy: string;
  readonly spec: BreakerSpec | undefined;
  readonly open: readonly Breaker[];
  readonly nowMs: number;
}): GuardStanding {
  const { policy, spec, nowMs } = of;
  const breaker = of.open.find((each) => each.policy === policy);
  const phase = breaker === undefined ? 'closed' : breakerPhase(breaker, nowMs);
  return {
    guard: 'guards.breaker',
    limit:
      spec === undefined
        ? 'off'
        : `opens at ${spec.failures} failed repairs within ${durationText(spec.windowMs)}`,
    use: breaker === undefined ? 'closed' : useText(breaker, nowMs),
    slack: null,
    holds: phase === 'open' || phase === 'trying',
    untilMs: phase === 'open' ? (breaker?.untilMs ?? null) : null,
    remedy: breakerRemedy(policy),
  };
}

function useText(breaker: Breaker, nowMs: number): string {
  const opened = `opened by ${breaker.by}: ${breaker.reason}`;
  switch (breakerPhase(breaker, nowMs)) {
    case 'open':
      return opened;
    case 'trying':
      return `${breaker.canary?.remediationId} tries on one host; ${opened}`;
    case 'half_open':
      return `half open: the next repair may try on one host; ${opened}`;
  }
}

import type { Breaker } from '../contracts/breaker.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import { breakerPhase } from './breaker.ts';

/** While another repair tries, how soon it is worth asking again. */
const tryingMs = 60_000;

/** What an operator can do about it. */
export const breakerRemedy = (policy: string): string =>
  `see why its repairs fail; \`fixpoint control breaker close ${policy} --reason …\` closes it by hand`;

/** Why a policy whose breaker is open starts nothing: who opened it, why, until when, and what to do. */
export function breakerRefusal(breaker: Breaker, nowMs: number): GuardRefusal {
  const { by, reason, untilMs, canary } = breaker;
  const until = new Date(untilMs).toISOString();
  const isTrying = canary !== null && breakerPhase(breaker, nowMs) === 'trying';
  return {
    reason: 'breaker',
    untilMs: isTrying ? nowMs + tryingMs : untilMs,
    detail: [
      `the breaker of this policy was opened by ${by} at ${new Date(breaker.at).toISOString()}: ${reason}`,
      isTrying
        ? `${canary.remediationId} tries on one host now, and its outcome decides`
        : `nothing starts before ${until}; then one repair of one host may try`,
      breakerRemedy(breaker.policy),
    ].join('; '),
  };
}

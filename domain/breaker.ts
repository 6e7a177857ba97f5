import type {
  Breaker,
  CloseBreakerUpdate,
  OpenBreakerUpdate,
  RepairEndedSignal,
  TryAnswer,
  TryBreakerUpdate,
} from '../contracts/breaker.ts';
import { limits } from '../contracts/limits.ts';
import { durationText } from './duration-text.ts';
import type { FailureBook } from './failure-book.ts';

type Open = readonly Breaker[];

/** A repair that tries and says nothing for this long, terminated say, keeps no other from trying. */
const canaryMs = 86_400_000;

/** `trying`: a repair tries on one host, and what becomes of it decides. */
export type BreakerPhase = 'open' | 'half_open' | 'trying';

/** What an open breaker lets start now: nothing, one that tries, or nothing while one does. */
export function breakerPhase(
  { untilMs, canary }: Pick<Breaker, 'untilMs' | 'canary'>,
  nowMs: number,
): BreakerPhase {
  if (nowMs < untilMs) return 'open';
  return isTaken(canary, nowMs) ? 'trying' : 'half_open';
}

const isTaken = (canary: Breaker['canary'], nowMs: number): boolean =>
  canary !== null && nowMs < canary.at + canaryMs;

const without = (open: Open, policy: string): Open =>
  open.filter((breaker) => breaker.policy !== policy);
const of = (open: Open, policy: string): Breaker | undefined =>
  open.find((breaker) => breaker.policy === policy);

/**
 * The open breakers after a repair has ended; the same list if nothing changed. Too many failures open
 * one; the repair that tries closes it if it was proven and opens it anew if it failed. Telling the
 * same end again changes nothing.
 */
export function afterRepair(
  open: Open,
  failures: FailureBook,
  told: RepairEndedSignal & { readonly nowMs: number },
): Open {
  const { policy, remediationId, state, nowMs } = told;
  const breaker = of(open, policy);
  if (breaker?.canary?.remediationId === remediationId) {
    return afterCanary(open, failures, { breaker, state, nowMs });
  }
  if (!hasFailed(state) || told.breaker === undefined) return open;
  const { failures: allowed, windowMs, openForMs } = told.breaker;
  const count = failures.note({ policy, failure: { remediationId, at: nowMs }, windowMs });
  if (count < allowed || breaker !== undefined) return open;
  const reason = `${count} repairs failed within ${durationText(windowMs)}, guards.breaker opens at ${allowed}; the last was ${remediationId}`;
  return [...open, opened({ policy, by: 'fixpoint', reason, openForMs, nowMs })];
}

/** Whether an end speaks against further repairs; one that was cancelled or held says nothing. */
export const hasFailed = (state: string): boolean => state === 'failed' || state === 'rolled_back';

function afterCanary(
  open: Open,
  failures: FailureBook,
  told: { readonly breaker: Breaker; readonly state: string; readonly nowMs: number },
): Open {
  const { breaker, state, nowMs } = told;
  const others = without(open, breaker.policy);
  const by = 'fixpoint';
  if (state === 'verified' || state === 'resolved') {
    failures.clear(breaker.policy);
    return others;
  }
  // Nothing was tried: the next one may.
  if (!hasFailed(state)) return [...others, { ...breaker, canary: null }];
  const reason = `the repair that tried failed too: ${breaker.canary?.remediationId}`;
  return [...others, opened({ ...breaker, by, reason, nowMs })];
}

const opened = ({
  policy,
  by,
  reason,
  openForMs = limits.breakerOpenMs,
  nowMs,
}: OpenBreakerUpdate & { readonly nowMs: number }): Breaker => ({
  ...{ policy, by, reason, openForMs },
  at: nowMs,
  untilMs: nowMs + openForMs,
  canary: null,
});

/** Opens a breaker by hand; one that is open already stays so for as long as is asked now. */
export const openedByHand = (
  open: Open,
  update: OpenBreakerUpdate & { readonly nowMs: number },
): Open => [...without(open, update.policy), opened(update)];

/** Closes one by hand and forgets the failures behind it. */
export function closedByHand(
  open: Open,
  failures: FailureBook,
  { policy }: CloseBreakerUpdate,
): Open {
  failures.clear(policy);
  return without(open, policy);
}

/**
 * Whether a repair may start: always while the breaker is closed; while it is open not before its
 * time, and then one at a time. Asked again for the same repair it answers the same.
 */
export function tried(
  open: Open,
  { policy, remediationId, nowMs }: TryBreakerUpdate & { readonly nowMs: number },
): { readonly open: Open; readonly answer: TryAnswer } {
  const breaker = of(open, policy);
  if (breaker === undefined) return { open, answer: { kind: 'closed' } };
  if (breaker.canary?.remediationId === remediationId) return { open, answer: { kind: 'canary' } };
  if (breakerPhase(breaker, nowMs) !== 'half_open') {
    return { open, answer: { kind: 'open', breaker } };
  }
  const taken: Breaker = { ...breaker, canary: { remediationId, at: nowMs } };
  return { open: [...without(open, policy), taken], answer: { kind: 'canary' } };
}

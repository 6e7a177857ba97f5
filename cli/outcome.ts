import { isFailedLetter, isSuccessLetter } from '../domain/batch-ledger.ts';
import { isRemediationEnd } from '../domain/remediation-end.ts';
import type { Progress } from './answers.ts';

/** Exit statuses beside those of the error codes (names 5); `--help` shows them all. */
export const exits = {
  ok: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  unreachable: 4,
  denied: 5,
  notFound: 6,
  unknown: 8,
  timeout: 124,
  interrupted: 130,
} as const;

export const exitCodesHelp = `
Exit status:
    0  success                            6  not found
    1  the remediation or command failed  7  server unreachable
    2  wrong usage or configuration       8  an outcome is unknown
    3  partial: some hosts failed       124  the wait was too long
    4  some hosts unreachable, none failed
    5  refused or held                  130  interrupted; the server goes on
`;

/** Ended from outside, told by Temporal's own words. */
export const statesEndedOutside: readonly string[] = ['terminated', 'canceled', 'timed_out'];
const endedOutside: ReadonlySet<string> = new Set(statesEndedOutside);

/** Whether a remediation in this state has ended. */
export const isEnded = (state: string): boolean =>
  isRemediationEnd(state) || endedOutside.has(state);

const unreachableLetters: ReadonlySet<string> = new Set(['x', 'e', 'n']);

/**
 * The exit status for how a remediation ended. Among failed hosts a real failure weighs more than
 * an unknown outcome, and that more than a host that was not reached.
 */
export function exitOf(progress: Pick<Progress, 'state' | 'reason' | 'targets'>): number {
  switch (progress.state) {
    case 'verified':
    case 'resolved':
    case 'superseded':
      return exits.ok;
    case 'held':
      // A policy that only observes did all that it is for.
      if (progress.reason?.startsWith('observed:')) return exits.ok;
      return progress.reason?.startsWith('inventory_incomplete') ? exits.unreachable : exits.denied;
    case 'expired':
      return exits.denied;
    case 'rolled_back':
      return exits.failed;
    case 'failed':
      return exitOfFailure(progress.targets.map((target) => target.letter));
    default:
      return exits.failed;
  }
}

function exitOfFailure(letters: readonly string[]): number {
  const failed = letters.filter(isFailedLetter);
  if (failed.some((letter) => letter !== 'u' && !unreachableLetters.has(letter))) {
    return letters.some(isSuccessLetter) ? exits.partial : exits.failed;
  }
  if (failed.includes('u')) return exits.unknown;
  return failed.length > 0 ? exits.unreachable : exits.failed;
}

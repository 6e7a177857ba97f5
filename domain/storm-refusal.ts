import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { Storm } from '../contracts/storm.ts';
import { durationText } from './duration-text.ts';

/**
 * Why nothing of a policy is repaired in a storm, with limit, use and what to do. It is told for the
 * policy as a whole, by whoever found the storm.
 */
export function stormRefusal(storm: Storm, windowMs: number): GuardRefusal {
  const where = storm.domain === null ? 'of this policy' : `in ${storm.domain}`;
  const until = new Date(storm.untilMs).toISOString();
  return {
    reason: 'mass',
    untilMs: storm.untilMs,
    isTold: true,
    detail: [
      `${storm.hosts} hosts ${where} alert within ${durationText(windowMs)}, ${storm.limit} may (guards.massHosts: ${storm.limitText})`,
      `that many seldom have a fault of their own each, so nothing is repaired before it is over, at the earliest ${until}`,
      'look for what they share; if each is to be repaired all the same, raise guards.massHosts',
    ].join('; '),
  };
}

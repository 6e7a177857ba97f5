import type { PlannedTarget } from '../contracts/temporal.ts';

type Host = Pick<PlannedTarget, 'agentId' | 'journalId'>;

/** A host as a plan means it: enrolled anew it has another journal, and is another one. */
export const hostKeyOf = ({ agentId, journalId }: Host): string => `${agentId}/${journalId}`;

/** What a plan that was made again has more, and what it lacks. */
export function planDifference<H extends Host>(
  before: readonly H[],
  now: readonly H[],
): { readonly added: readonly H[]; readonly gone: readonly H[] } {
  const known = new Set(before.map(hostKeyOf));
  const there = new Set(now.map(hostKeyOf));
  return {
    added: now.filter((host) => !known.has(hostKeyOf(host))),
    gone: before.filter((host) => !there.has(hostKeyOf(host))),
  };
}

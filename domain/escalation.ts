import type { EscalatedEnd, FrozenEscalation } from '../contracts/escalation.ts';

const ends: readonly EscalatedEnd[] = ['failed', 'rolled_back', 'expired', 'held'];

/** Reasons of `held` that pass by themselves: whoever is told of them can do nothing. */
const passing = ['maintenance:', 'flapping:', 'busy:', 'observed:'];

/** How the end is escalated, or null if its policy asks for none or no person is needed. */
export function escalatedEnd(
  escalation: FrozenEscalation | undefined,
  of: { readonly state: string; readonly reason: string | null },
): EscalatedEnd | null {
  const end = ends.find((each) => each === of.state);
  if (escalation === undefined || end === undefined || !escalation.on.includes(end)) return null;
  const passes = end === 'held' && passing.some((reason) => of.reason?.startsWith(reason));
  return passes ? null : end;
}

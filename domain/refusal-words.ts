import type { Refusal } from '../contracts/admission.ts';
import { stopText } from './stop-scope.ts';

/** Refusals that a sentence names; of more it says that there are others. */
const namedMax = 3;

/** Why hosts wait, with limit and use: `3 hosts are held by remediation:… · 2 hosts: zone=a may …`. */
export function refusalsInWords(refusals: readonly Refusal[]): string {
  const named = refusals.slice(0, namedMax).map(inWords);
  const others = refusals.length - named.length;
  return [...named, ...(others > 0 ? [`and ${others} more reasons`] : [])].join(' · ');
}

/** The reason that weighs most: the one with the most hosts. `busy` if there is none. */
export const mainReason = (refusals: readonly Refusal[]): Refusal['reason'] =>
  refusals[0]?.reason ?? 'busy';

/** What an operator can do about it. */
export function remedyFor(reason: Refusal['reason']): string {
  switch (reason) {
    case 'busy':
      return 'it goes on when the other repair ends: see `fixpoint remediation show` of it';
    case 'cap_reached':
      return 'it goes on when other hosts of the domain are proven; or raise guards.blastRadius';
    case 'floor':
      return 'it goes on when more hosts of the service are healthy; or lower guards.floor';
    case 'stopped':
      return 'it goes on when that is allowed again: see `fixpoint control show`';
    default:
      return reason satisfies never;
  }
}

function inWords(refusal: Refusal): string {
  const hosts = refusal.hosts === 1 ? '1 host' : `${refusal.hosts} hosts`;
  switch (refusal.reason) {
    case 'busy':
      return `${hosts} busy: held by ${refusal.by}`;
    case 'cap_reached':
      return `${hosts}: ${refusal.domain} may have ${refusal.limit} held at once, has ${refusal.used}`;
    case 'floor':
      return `${hosts}: service ${refusal.service} must keep ${refusal.floor} healthy, has ${refusal.available}`;
    case 'stopped':
      return `${hosts}: ${stopText(refusal.stop)}`;
    default:
      return refusal satisfies never;
  }
}

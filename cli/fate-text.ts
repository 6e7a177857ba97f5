import type { z } from 'zod';
import type { fate } from '../contracts/alert.ts';

type Fate = z.infer<typeof fate>;

/** A fate as design 4.1 writes it: `suppressed(resolved)`. */
export const fateText = (of: Fate): string =>
  'reason' in of ? `${of.kind}(${of.reason})` : of.kind;

const suppressions: Readonly<Record<Extract<Fate, { kind: 'suppressed' }>['reason'], string>> = {
  resolved:
    'it began firing before its episode resolved, so it came late: resolved is final; one that begins after that is acted on',
  shielded: 'until the entry is taken out of guards.shield, the policy leaves alerts like it alone',
  maintenance:
    'guards.maintenance lets no repair start now; if it fires still after that, its next firing is acted on',
};

const holds: Readonly<Record<Extract<Fate, { kind: 'held' }>['reason'], string>> = {
  truncated:
    'the sender cut its list of alerts, so the affected hosts are unknown: nothing is done on part of them',
  stale:
    'it came too late to be trusted, after a long wait or a loss of what was known of it; a newer firing of it is acted on',
  mass: 'so many hosts alerted at once that nothing is repaired by itself',
};

/** What a fate means for the person who wonders why nothing happened. */
export function fateMeaning(of: Fate): string {
  switch (of.kind) {
    case 'handed':
      return 'handed to the mailbox of its group, which decides on a remediation';
    case 'duplicate':
      return 'the same delivery came before; only the first of them counts, and that one’s fate is its own: `fixpoint alert ls`';
    case 'recorded':
      return 'a resolved alert whose group has nothing open: noted, 0 repairs to stop, nothing to do';
    case 'suppressed':
      return suppressions[of.reason];
    case 'held':
      return holds[of.reason];
    case 'quarantined':
      return 'it was not usable; see `fixpoint alert ls --quarantined` for the field, its value and why';
    case 'unmatched':
      return 'no policy matches its labels; below is why each does not, and `fixpoint policy test` tries others';
  }
}

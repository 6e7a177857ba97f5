import { isFailedLetter } from './batch-ledger.ts';

/** What became of one host in a whole repair. */
export type HostStanding = {
  readonly letter: string;
  /** Whose letter it is, unless it is the last step's that was begun: `verify`, or a step before. */
  readonly step?: string | undefined;
};

/**
 * The word on a host that counts most: its script runs now; it did not pass the proof; the last step's
 * letter, or where that step did not come to it, the letter of the last one that did.
 */
export function hostStanding(of: {
  readonly isInFlight: boolean;
  /** Of the repair's own steps, in order. */
  readonly steps: readonly { readonly name: string; readonly letter: string }[];
  /** Of the proof; null while it is not over. */
  readonly proof: string | null;
}): HostStanding {
  const { isInFlight, steps, proof } = of;
  if (isInFlight) return { letter: '.' };
  if (proof !== null && isFailedLetter(proof)) return { letter: proof, step: 'verify' };
  const came = steps.findLast(({ letter }) => letter !== 'h');
  if (came === undefined) return { letter: 'h' };
  return came === steps.at(-1) ? { letter: came.letter } : { letter: came.letter, step: came.name };
}

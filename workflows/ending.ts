import type { RemediationEnd } from '../contracts/temporal.ts';
import type { StartRefusal } from '../domain/start-refusal.ts';

/** What a repair ends in, and why. */
export type Ending = { readonly state: RemediationEnd; readonly reason: string | null };

export const superseded: Ending = {
  state: 'superseded',
  reason: 'every alert resolved before anything ran',
};

/** Whoever called it off said why. */
export const cancelled: Ending = { state: 'cancelled', reason: null };

/** A refusal ends a repair as held, with its word before the figures. */
export const heldFor = (refusal: { readonly reason: string; readonly detail: string }): Ending => ({
  state: 'held',
  reason: `${refusal.reason}: ${refusal.detail}`,
});

export const endingOfRefusal = (refusal: StartRefusal): Ending =>
  refusal.kind === 'superseded' ? superseded : heldFor(refusal);

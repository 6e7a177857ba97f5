import type { Damping, GuardRefusal } from '../contracts/guard-refusal.ts';
import type { Flapping } from './change-book.ts';
import { durationText } from './duration-text.ts';

/** Why a group that flaps is left alone, with limit, use and what to do. */
export function flappingRefusal(
  { fingerprint, untilMs }: Flapping,
  of: { readonly flap: Damping['flap']; readonly name: string | undefined },
): GuardRefusal {
  const { changes = 0, windowMs = 0 } = of.flap ?? {};
  const alert = of.name === undefined ? fingerprint : `${of.name} (${fingerprint})`;
  return {
    reason: 'flapping',
    untilMs,
    detail: [
      `alert ${alert} resolved or fired again more than ${changes} times within ${durationText(windowMs)}, which is all that guards.flap allows`,
      `nothing starts until it is stable, at the earliest ${new Date(untilMs).toISOString()}`,
      'damp it where it comes from (for, keep_firing_for), or raise guards.flap.changes if every change is real',
    ].join('; '),
  };
}

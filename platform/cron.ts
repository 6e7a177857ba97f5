import { Cron } from 'croner';
import type { Recurrence } from '../domain/maintenance.ts';

export type ParsedCron =
  | { readonly kind: 'parsed'; readonly recurrence: Recurrence }
  | { readonly kind: 'flawed'; readonly reason: string };

/**
 * A cron expression of five fields in a time zone. A time that the clocks skip in spring comes an
 * hour later, one that they repeat in autumn comes once. Answers are kept, so that asking again
 * about nearly the same moment costs nothing. Never throws.
 */
export function parseCron(pattern: string, timeZone: string): ParsedCron {
  try {
    const cron = new Cron(pattern, { mode: '5-part', timezone: timeZone, paused: true });
    const recurrence = keeping((afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null);
    const anyMoment = Date.UTC(2026, 0, 1);
    return recurrence.next(anyMoment) === null
      ? { kind: 'flawed', reason: 'it never comes: no date satisfies all five fields' }
      : { kind: 'parsed', recurrence };
  } catch (error) {
    return { kind: 'flawed', reason: error instanceof Error ? error.message : 'it is not valid' };
  }
}

const keptMax = 100;

/** An answer for `afterMs` holds for every moment from there up to the answer itself. */
function keeping(next: (afterMs: number) => number | null): Recurrence {
  let kept: { readonly fromMs: number; readonly answer: number | null }[] = [];
  return {
    next(afterMs) {
      const known = kept.find(
        ({ fromMs, answer }) => fromMs <= afterMs && (answer === null || afterMs < answer),
      );
      if (known !== undefined) return known.answer;
      const answer = next(afterMs);
      kept = [...kept.slice(1 - keptMax), { fromMs: afterMs, answer }];
      return answer;
    },
  };
}

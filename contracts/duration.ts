import { z } from 'zod';

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `10s`, `5m`, `2h`, `1d`, `250ms`, or null: one number, one unit, no spaces. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (!match) return null;
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

const howToWrite = 'write a number and a unit, such as 10s, 5m, 2h or 1d';

/** A duration as people write it, in YAML and configuration; becomes milliseconds. At most 365 days. */
export const duration = z
  .string({
    error: ({ input }) =>
      input === undefined || input === null
        ? `no duration is written; ${howToWrite}`
        : `${JSON.stringify(input)} is not a duration; ${howToWrite}`,
  })
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms === null || ms > 365 * units.d) {
      context.addIssue({ code: 'custom', message: `"${text}" is not a duration; ${howToWrite}` });
      return z.NEVER;
    }
    return ms;
  });

/** The same, of at least `min` and at most `max`, both as people write them. */
export function durationFrom(min: string, max: string) {
  const [least, most] = [parseDuration(min) ?? Number.NaN, parseDuration(max) ?? Number.NaN];
  const error = `must be from ${min} to ${max}`;
  return duration.refine((ms) => ms >= least && ms <= most, { error });
}

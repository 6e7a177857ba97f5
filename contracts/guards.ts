import { z } from 'zod';
import { duration } from './duration.ts';
import { limits } from './limits.ts';
import { share } from './share.ts';

const entriesMax = 32;
const shieldEntry = z.array(z.string().min(1).max(4096)).min(1).max(entriesMax);

/**
 * Alerts that a policy leaves alone: those that satisfy all matchers of one entry. One list of
 * matchers is one entry; what the matchers say is checked when a file is loaded.
 */
export const shieldSpec = z
  .union([shieldEntry.transform((entry) => [entry]), z.array(shieldEntry).min(1).max(entriesMax)], {
    error: 'must be a list of matchers, or a list of such lists',
  })
  .default([]);

/** Times at which no repair starts; the fields of `cron` are checked when a file is loaded. */
export const maintenanceSpec = z
  .array(
    z.strictObject({
      cron: z.string().max(200),
      for: duration.refine((ms) => ms >= 60_000 && ms <= limits.maintenanceWindowMs, {
        error: 'must be from 1m to 7d',
      }),
      timeZone: z
        .string()
        .refine(isTimeZone, { error: 'must be a time zone such as Europe/Berlin or UTC' })
        .default('UTC'),
    }),
  )
  .max(entriesMax)
  .default([]);

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const off = z.literal('off');

/** How often one alert may resolve or fire again within a window, before its group is held (rule R17). */
export const flapSpec = z
  .union([off, z.strictObject({ changes: z.int().min(1).max(100), window: duration })], {
    error: 'must be { changes, window } or off',
  })
  .default({ changes: 5, window: 1_800_000 });

/** How long an alert that resolved must fire again before that counts (rule R17). */
export const confirmForSpec = duration
  .refine((ms) => ms <= 3_600_000, { error: 'must be at most 1h' })
  .default(60_000);

/**
 * Hosts that may alert at once, of the policy or of one fault domain, or a percentage of all enrolled
 * agents, before nobody acts (rule R14). Without a word it is a tenth, at least 20.
 */
export const massHostsSpec = z.union([off, share]).optional();

/** Repairs that end failed or rolled back within a window, after which the policy starts none for a while. */
export const breakerSpec = z
  .union(
    [
      off,
      z.strictObject({ failures: z.int().min(1).max(100), window: duration, openFor: duration }),
    ],
    { error: 'must be { failures, window, openFor } or off' },
  )
  .default({ failures: 3, window: 3_600_000, openFor: 1_800_000 });

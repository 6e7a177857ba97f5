const pattern =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Nanoseconds since 1970 of an RFC 3339 time, or null if it is none. A JavaScript Date would lose
 * everything below a millisecond, which senders do use (webhooks.md 8.8).
 */
export function instantOf(text: string): bigint | null {
  const match = pattern.exec(text);
  if (!match) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const date = new Date(ms);
  // Date.UTC takes the 31st of February for the 3rd of March; a sender who writes that is wrong.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const offset = offsetMinutes(zone);
  if (offset === null) return null;
  return BigInt(ms - offset * 60_000) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Unix milliseconds, rounded down; null if `text` is no time. */
export function millisecondsOf(text: string): number | null {
  const instant = instantOf(text);
  return instant === null ? null : Number(instant / 1_000_000n);
}

function offsetMinutes(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/**
 * Nanoseconds since 1970 as text that sorts as the times do: 20 digits. Tombstones hold it, and
 * Redis compares it. Times before 1970 count as 1970.
 */
export const sortableInstant = (nanoseconds: bigint): string =>
  (nanoseconds < 0n ? 0n : nanoseconds).toString().padStart(20, '0');

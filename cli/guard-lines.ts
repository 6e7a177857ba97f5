import type { z } from 'zod';
import type { guardStanding } from '../contracts/http.ts';

type Guard = z.infer<typeof guardStanding>;

/** A guard that holds, in one sentence with limit, use, until when and what to do. */
export function heldByText(guard: Guard): string {
  const { limit, use, untilMs, remedy } = guard;
  const until = untilMs === null ? '' : `, until ${new Date(untilMs).toISOString()}`;
  return `${guard.guard} holds it: limit ${limit}, use ${use}${until}; ${remedy}`;
}
/** Rows of a table of guards; its header is `guardHeader`. */
export const guardRow = (guard: Guard): readonly string[] => [
  guard.guard,
  guard.holds ? 'holds' : 'passes',
  guard.limit,
  guard.use,
  guard.slack ?? '-',
];

export const guardHeader = ['GUARD', 'NOW', 'LIMIT', 'USE', 'SLACK'] as const;

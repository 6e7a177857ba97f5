/**
 * How long a case is waited for: its repair waits for those before it on its host, and all of them can
 * meet several deaths of a worker, of 15 s each.
 */
export const patient = { withinMs: 420_000, everyMs: 200 };

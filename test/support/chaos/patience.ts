/** How long a case is waited for: its repair can meet several deaths of a worker, of 15 s each. */
export const patient = { withinMs: 240_000, everyMs: 200 };

/** What a code means at every exit: HTTP status, CLI exit status, whether trying again can help. */
export const errorPolicies = {
  invalid_payload: { http: 400, exit: 2, retry: 'never' },
  unauthenticated: { http: 401, exit: 5, retry: 'never' },
  forbidden: { http: 403, exit: 5, retry: 'never' },
  not_found: { http: 404, exit: 6, retry: 'never' },
  plan_stale: { http: 409, exit: 2, retry: 'never' },
  conflict: { http: 409, exit: 2, retry: 'never' },
  gone: { http: 410, exit: 6, retry: 'never' },
  too_large: { http: 413, exit: 2, retry: 'never' },
  unsupported: { http: 415, exit: 2, retry: 'never' },
  no_targets: { http: 422, exit: 2, retry: 'never' },
  ambiguous_target: { http: 422, exit: 2, retry: 'never' },
  stopped: { http: 423, exit: 5, retry: 'later' },
  limit_exceeded: { http: 429, exit: 5, retry: 'later' },
  internal: { http: 500, exit: 1, retry: 'later' },
  intake_full: { http: 503, exit: 7, retry: 'later' },
  upstream_unavailable: { http: 503, exit: 7, retry: 'later' },
  inventory_incomplete: { http: 503, exit: 4, retry: 'later' },
  agent_offline: { http: 503, exit: 4, retry: 'later' },
  deadline_exceeded: { http: 504, exit: 124, retry: 'later' },
} as const satisfies Record<string, { http: number; exit: number; retry: 'never' | 'later' }>;

export type ErrorCode = keyof typeof errorPolicies;

/** One thing wrong with an input: where, what was there, and what to do about it. */
export type Flaw = { readonly field: string; readonly value?: string; readonly fix: string };

type FixpointErrorOptions = ErrorOptions & {
  readonly flaws?: readonly Flaw[];
  readonly hint?: string;
};

/**
 * The one error that leaves a part on purpose. `message` may be shown to whoever called;
 * `cause` never is, because its text may hold a secret (invariant 10).
 */
export class FixpointError extends Error {
  readonly code: ErrorCode;
  readonly flaws: readonly Flaw[];
  readonly hint: string | undefined;
  constructor(code: ErrorCode, message: string, options: FixpointErrorOptions = {}) {
    super(message, options);
    this.name = 'FixpointError';
    this.code = code;
    this.flaws = options.flaws ?? [];
    this.hint = options.hint;
  }
}

/** Throws if `condition` does not hold: a bug in us, never an input's fault. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}

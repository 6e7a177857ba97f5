/** When the outcomes of a policy's repairs stop further ones. */
export type BreakerSpec = {
  /** Repairs that end failed or rolled back within the window. */
  readonly failures: number;
  readonly windowMs: number;
  readonly openForMs: number;
};

/** A breaker that is open: no repair of the policy starts, or only one that tries. Unix milliseconds. */
export type Breaker = {
  readonly policy: string;
  readonly reason: string;
  /** `fixpoint` where it opened by itself. */
  readonly by: string;
  readonly at: number;
  /** From then on one repair may try. */
  readonly untilMs: number;
  readonly openForMs: number;
  /** The repair that tries, of one host; what becomes of it decides. */
  readonly canary: { readonly remediationId: string; readonly at: number } | null;
};

/** Failures of each policy, oldest first; plain JSON. */
export type FailureMemory = readonly (readonly [
  policy: string,
  failures: readonly { readonly remediationId: string; readonly at: number }[],
])[];

/** What the control workflow is told of a repair that ended. */
export type RepairEndedSignal = {
  readonly policy: string;
  readonly remediationId: string;
  readonly state: string;
  /** Absent where the policy is not known: then it counts only if it was the one that tries. */
  readonly breaker?: BreakerSpec;
};

export type OpenBreakerUpdate = {
  readonly policy: string;
  readonly by: string;
  readonly reason: string;
  /** Absent: `limits.breakerOpenMs`. */
  readonly openForMs?: number;
};
export type CloseBreakerUpdate = Omit<OpenBreakerUpdate, 'openForMs'>;

/** A repair asks to be the one that tries. */
export type TryBreakerUpdate = { readonly policy: string; readonly remediationId: string };
export type TryAnswer =
  | { readonly kind: 'closed' }
  | { readonly kind: 'canary' }
  | { readonly kind: 'open'; readonly breaker: Breaker };

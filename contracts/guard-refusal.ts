/** Why a repair that was due is not started. It ends up in the remediation that says so, which is audited. */
export type GuardRefusal = {
  readonly reason: 'flapping' | 'maintenance' | 'mass' | 'stopped' | 'breaker';
  /** The limit, its use and what to do, for people. */
  readonly detail: string;
  /** How long this holds, Unix milliseconds, as far as is known now. */
  readonly untilMs: number;
  /** Another remediation says so already, for all groups of the policy. */
  readonly isTold?: true;
};

/** How a mailbox damps alerts that come and go (rule R17). */
export type Damping = {
  /** How long an alert that fires again must go on before it counts. */
  readonly confirmForMs: number;
  /** Null: the group is never held for flapping. */
  readonly flap: { readonly changes: number; readonly windowMs: number } | null;
};

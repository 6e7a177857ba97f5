// What a person is told when a repair ended in a way that needs one (invariant 12).

/** Ends that can be escalated; `expired` is an approval that nobody gave. */
export type EscalatedEnd = 'failed' | 'rolled_back' | 'expired' | 'held';

/** As a policy says it. */
export type FrozenEscalation = { readonly url: string; readonly on: readonly EscalatedEnd[] };

/** What the webhook tells; Standard Webhooks asks for this outer form. */
export type EscalationBody = {
  readonly type: `remediation.${EscalatedEnd}`;
  /** RFC 3339: when the repair ended. */
  readonly timestamp: string;
  readonly data: {
    readonly remediationId: string;
    readonly state: EscalatedEnd;
    readonly reason: string | null;
    readonly policy: string;
    readonly runbook: string;
    /** One paragraph for whoever is woken by it. */
    readonly account: string;
    readonly alerts: readonly string[];
    readonly hosts: number;
    readonly hostsFailed: number;
    /** What to type for the whole story. */
    readonly command: string;
  };
};

export type EscalationInput = {
  readonly policy: string;
  readonly url: string;
  readonly body: EscalationBody;
  /** How long it is tried. */
  readonly retryMs: number;
};
/** `dead`: nobody took it; a person must look for themselves. */
export type EscalationState = 'sending' | 'sent' | 'dead';
export type EscalationEnd = {
  readonly state: Exclude<EscalationState, 'sending'>;
  readonly reason: string | null;
};

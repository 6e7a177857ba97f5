import type { AdmitAnswer, AdmitInput } from './admission.ts';
import type { LabelPair } from './alert.ts';
import type { BreakerSpec } from './breaker.ts';
import type { ControlState } from './control.ts';
import type { EscalationBody, EscalationEnd } from './escalation.ts';
import type { FrozenGuards, FrozenHttpProbe, FrozenTargets } from './frozen.ts';
import type { GuardRefusal } from './guard-refusal.ts';
import type { TaskReport, TaskSubmit } from './task.ts';
import type {
  Episode,
  MailboxSettings,
  Plan,
  PlannedTarget,
  RemediationResult,
} from './temporal.ts';

/** Hosts whose pages are asked for, with the alert labels that the url needs. */
export type HttpProofInput = {
  readonly http: FrozenHttpProbe['http'];
  readonly timeoutMs: number;
  readonly hosts: readonly { readonly agentId: string; readonly labels: readonly LabelPair[] }[];
};
/** A letter a host, in order; and in words why the first of them did not pass, by their places. */
export type HttpProof = {
  readonly letters: string;
  readonly failures: readonly { readonly at: number; readonly detail: string }[];
};

/** Activities of queue `fixpoint-activities`. All are idempotent; each may be tried again freely. */
export type CoreActivities = {
  planTargets(input: {
    readonly remediationId: string;
    readonly targets: FrozenTargets;
    readonly episodes: readonly Episode[];
    /** Of a policy with guards. */
    readonly guards?: FrozenGuards;
    /** Labels of hosts that the runbook's scripts ask for; absent if they ask for none. */
    readonly hostValues?: readonly string[];
    /** What an approval signs beside the hosts: then the plan comes with its digest. */
    readonly signed?: {
      readonly policyDigest: string;
      readonly runbookDigest: string;
      readonly scriptDigests: readonly string[];
    };
  }): Promise<Plan>;
  /**
   * Lets go of hosts that are proven and asks for others, in one call (invariant 5). It fails, to be
   * tried again, while the holds or the inventory are not whole.
   */
  admitBatch(input: AdmitInput): Promise<AdmitAnswer>;
  /**
   * When the alert of that name last came in firing from the source, Unix milliseconds; null if Redis
   * knows of none.
   */
  watchdogHeard(input: {
    readonly source: string;
    readonly alertname: string;
  }): Promise<number | null>;
  /** Asks the page that proves the repair, once a host. */
  probeHttp(input: HttpProofInput): Promise<HttpProof>;
  /** Frees what the repair holds, writes its one audit record and tells its mailbox. */
  recordOutcome(input: {
    readonly result: RemediationResult;
    readonly mailboxId: string | null;
    readonly policy: string;
    readonly policyDigest: string;
    readonly runbook: string;
    readonly runbookDigest: string;
    readonly scriptDigests: readonly string[];
    readonly episodes: readonly Episode[];
    readonly targets: readonly PlannedTarget[];
    readonly startedAtMs: number;
    readonly endedAtMs: number;
    readonly cancelledBy: string | null;
    /** Of a policy with a breaker. */
    readonly breaker?: BreakerSpec;
    readonly canaryOnly?: true;
  }): Promise<void>;
  /** Posts it once; fails, to be tried again, until a receiver takes it. */
  sendEscalation(input: {
    /** The remediation's. */
    readonly id: string;
    readonly url: string;
    readonly body: EscalationBody;
  }): Promise<void>;
  recordEscalation(
    input: { readonly remediationId: string; readonly policy: string } & EscalationEnd,
  ): Promise<void>;
  /** Returns the revision that stands in the cache now; a higher one than the state's kept it out. */
  publishControl(state: ControlState): Promise<number>;
};

export type SubmitInput = {
  readonly key: string;
  readonly task: TaskSubmit;
  /** The gateway had the task before and has lost it: its jobs may have been sent (rule R6). */
  readonly again?: true;
};

/** Activities of queue `fixpoint-gateway`. */
export type GatewayActivities = {
  /** A pure function of its input (rule X1): the same key and body meet the same task. */
  submitTask(input: SubmitInput): Promise<TaskReport>;
  /** The same as `submitTask`, named for those who read a run in Temporal UI. */
  probe(input: SubmitInput): Promise<TaskReport>;
  /** The task as it stands; `null` if the gateway does not know it. */
  pollTask(input: { readonly key: string }): Promise<TaskReport | null>;
  cancelTask(input: {
    readonly key: string;
    readonly reason: 'operator' | 'resolved' | 'stop';
  }): Promise<void>;
};

/** Local activities of a repair: one that fails is asked of the queue. */
export type LocalActivities = Pick<CoreActivities, 'planTargets' | 'admitBatch'>;

/** Local activities of the mailbox. */
export type MailboxActivities = {
  /**
   * Starts the repair with a frozen input; the same id twice starts one. The answer says which
   * episodes the repair is really about: a start that is made again, because its first making
   * left no trace in history, may come with more episodes than the repair was started with.
   */
  startRemediation(input: {
    readonly policy: string;
    readonly remediationId: string;
    readonly mailboxId: string;
    readonly groupId: string;
    readonly episodes: readonly Episode[];
    /** The mailbox's own: nothing is started but a remediation that ends held with it. */
    readonly refusal?: GuardRefusal;
    /** What a remediation of this mailbox said last, if that holds still: it is not said again. */
    readonly told?: GuardRefusal;
  }): Promise<
    | {
        readonly kind: 'started';
        readonly settings: MailboxSettings;
        readonly episodes: readonly string[];
      }
    | {
        readonly kind: 'refused';
        readonly settings: MailboxSettings;
        /** A firing after `untilMs` may be repaired. */
        readonly refusal: GuardRefusal;
      }
    | { readonly kind: 'policy_gone' }
  >;
  /**
   * Tells a running repair which episodes are over, and which fire again. One that ended meanwhile
   * is no failure: its own last word is on the way, and nothing starts any more.
   */
  tellRemediation(input: {
    readonly remediationId: string;
    readonly resolved: readonly string[];
    readonly returned?: readonly string[];
  }): Promise<void>;
};

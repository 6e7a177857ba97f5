import type { PlanDomains } from './admission.ts';
import type { LabelPair } from './alert.ts';
import type { FrozenPolicy, FrozenRunbook } from './frozen.ts';
import type { Damping, GuardRefusal } from './guard-refusal.ts';
import type { Clocks } from './limits.ts';
import type { TaskReport } from './task.ts';

/** Names of names.md 3. This file has no zod at run time: workflows import it. */
export const taskQueues = {
  workflows: 'fixpoint-workflows',
  activities: 'fixpoint-activities',
  gateway: 'fixpoint-gateway',
} as const;

export const workflowTypes = {
  mailbox: 'mailbox',
  remediation: 'remediation',
  /** Tells a person of a repair that ended in a way that needs one. */
  escalation: 'escalation',
  control: 'control',
} as const;

export const workflowIds = {
  mailbox: (policy: string, groupId: string): string => `mailbox:${policy}:${groupId}`,
  /** `run` is the mailbox's first run id: unique per mailbox life, so the id is unique per repair. */
  remediation: (of: { policy: string; groupId: string; run: string; n: number }): string =>
    `remediation:${of.policy}:${of.groupId}:${of.run.replaceAll('-', '').slice(0, 8)}-${of.n}`,
  /** `ulid` may be a name that its caller gives: the same one is the same run. */
  manual: (of: { runbook: string; ulid: string }): string =>
    `remediation:manual:${of.runbook}:${of.ulid}`,
  escalation: (remediationId: string): string => `escalation:${remediationId}`,
  control: 'control:fixpoint',
} as const;

export const signalNames = {
  alerts: 'alerts',
  remediationEnded: 'remediationEnded',
  episodeChanged: 'episodeChanged',
  taskFinished: 'taskFinished',
  stopChanged: 'stopChanged',
  /** To the control workflow. */
  repairEnded: 'repairEnded',
} as const;
export const updateNames = {
  approve: 'approve',
  reject: 'reject',
  cancel: 'cancel',
  pause: 'pause',
  resume: 'resume',
  confirmBatch: 'confirmBatch',
  retryFailed: 'retryFailed',
  stop: 'stop',
  allow: 'allow',
  lockAgent: 'lockAgent',
  unlockAgent: 'unlockAgent',
  openBreaker: 'openBreaker',
  closeBreaker: 'closeBreaker',
  tryBreaker: 'tryBreaker',
  /** The control workflow's state goes to the cache once more, past whatever stands there. */
  republish: 'republish',
} as const;
export const queryNames = {
  progress: 'progress',
  plan: 'plan',
  holds: 'holds',
  episodes: 'episodes',
  /** Of a mailbox, at a time that the asker names: where its guards stand. */
  guards: 'guards',
  state: 'state',
} as const;

export const searchAttributes = {
  FixpointState: 'Keyword',
  FixpointPolicy: 'Keyword',
  FixpointRunbook: 'Keyword',
  FixpointGroup: 'Keyword',
  FixpointSeverity: 'Keyword',
  FixpointTrigger: 'Keyword',
  FixpointHosts: 'Int',
  FixpointHostsFailed: 'Int',
  FixpointDeadline: 'Datetime',
} as const;

/** States a remediation goes through, and ends in (names 3). */
export type RemediationPhase =
  | 'planning'
  | 'awaiting_approval'
  | 'admitting'
  | 'running'
  | 'paused'
  | 'verifying'
  | 'rolling_back';
export type RemediationEnd =
  | 'verified'
  | 'resolved'
  | 'failed'
  | 'rolled_back'
  | 'cancelled'
  | 'superseded'
  | 'expired'
  | 'held';
export type RemediationState = RemediationPhase | RemediationEnd;

/** An alert as a mailbox needs it. Times are RFC 3339 as the sender wrote them. */
export type AlertRef = {
  readonly fingerprint: string;
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
  readonly endsAt: string | null;
  readonly name: string;
  readonly severity: string;
  readonly labels: readonly LabelPair[];
  /** Those that the policy's runbook names; absent if it names none. */
  readonly annotations?: readonly LabelPair[];
  readonly deliveryId: string;
  /** When the api took it in, Unix milliseconds: a repeat of an old delivery is no new evidence. */
  readonly receivedAtMs: number;
  /** It waited longer than half a mailbox's linger: it opens nothing by itself (rule R2). */
  readonly late: boolean;
};

/** One unbroken firing of a fingerprint (design 5.1). */
export type Episode = {
  /** `{fingerprint}@{startsAt of the firing that opened it, Unix ms}` */
  readonly id: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly severity: string;
  readonly labels: readonly LabelPair[];
  /** Of the firing that opened it; those that the policy's runbook names, absent if it names none. */
  readonly annotations?: readonly LabelPair[];
  /** In a repair's input the latest that the sender told; senders move it while it fires. */
  readonly startsAt: string;
};

export type MailboxSettings = {
  readonly waitMs: number;
  readonly groupMax: number;
  readonly cooldownMs: number;
  readonly maxRuns: { readonly count: number; readonly windowMs: number };
  /** At least; the mailbox also stays as long as its guards need to remember. */
  readonly lingerMinMs: number;
  /** Signals after which it continues as new. */
  readonly signalsMax: number;
  /** Absent in a mailbox from before alerts were damped: each change counts at once. */
  readonly damping?: Damping;
};

export type MailboxInput = {
  readonly policy: string;
  readonly groupId: string;
  readonly group: readonly LabelPair[];
  readonly settings: MailboxSettings;
  /** What the run before carried over; absent in the first. Opaque to everyone but the mailbox. */
  readonly carried?: unknown;
};
export type AlertsSignal = { readonly alerts: readonly AlertRef[] };
export type RemediationEndedSignal = {
  readonly remediationId: string;
  readonly state: RemediationEnd;
};

export type RemediationInput = {
  readonly remediationId: string;
  /** Who is told how it ended; null of one that no alert asked for. */
  readonly mailboxId: string | null;
  readonly trigger: 'alert' | 'manual';
  readonly policy: FrozenPolicy;
  readonly runbook: FrozenRunbook;
  readonly groupId: string;
  readonly episodes: readonly Episode[];
  readonly clocks: Clocks;
  readonly callbackUrl: string;
  /** Whose credential started it by hand. */
  readonly startedBy?: string;
  /** It does nothing but end held with this. */
  readonly refusal?: GuardRefusal;
  /** It tries for a breaker that is open: one host, whose outcome decides. */
  readonly canaryOnly?: true;
  readonly carried?: unknown;
};

export type EpisodeChangedSignal = {
  /** Episodes that resolved since. */
  readonly resolved: readonly string[];
  /** Episodes that resolved before and whose alerts fire again, for long enough to count. */
  readonly returned?: readonly string[];
};
export type TaskFinishedSignal = { readonly report: TaskReport };
/**
 * Who acts on a repair, and why; what every update of an operator says. Through the api `by` is the name
 * of a credential; in Temporal it is what somebody typed.
 */
export type OperatorUpdate = {
  readonly by: string;
  readonly reason: string;
  /** The api says so; absent: given in Temporal. */
  readonly via?: 'api';
  /** The name that was claimed beside the credential; it gives no right (invariant 9). */
  readonly claimed?: string;
};
/** What the updates `approve` and `reject` say. */
export type ApprovalUpdate = OperatorUpdate & {
  /** Of the plan that was looked at, or its first 12 digits; one for another plan is refused. */
  readonly digest?: string | undefined;
};
/** A question that a repair waits for, or waited for last. */
export type ApprovalView = {
  readonly approvers: number;
  /** Who approved so far. */
  readonly given: readonly string[];
  /** When it expires, Unix milliseconds; null while its time stands still. */
  readonly untilMs: number | null;
  /** Of policy, runbook, scripts, arguments and hosts. */
  readonly digest: string;
  /** How many hosts it is about. */
  readonly hosts: number;
  /** Names of hosts that came since it was approved; absent in the first question. */
  readonly added?: readonly string[];
  /** Who may not approve it. */
  readonly notBy: readonly string[];
};

/** A host of a plan: `episodes` are positions in the input's list; absent means all of them. */
export type PlannedTarget = {
  readonly agentId: string;
  readonly journalId: string;
  readonly episodes?: readonly number[];
  /** Left out of plans with more than 200 hosts, to keep history small. */
  readonly name?: string;
  /** Labels of the host that the runbook's scripts ask for; absent if they ask for none. */
  readonly host?: Readonly<Record<string, string>>;
};

export type HeldReason =
  | 'no_target'
  | 'ambiguous_target'
  | 'missing_label'
  | 'ambiguous_label'
  | 'inventory_incomplete'
  | 'plan_failed'
  | 'too_many_targets'
  | 'too_many_batches'
  | 'limit_exceeded'
  | 'busy'
  | 'cap_reached'
  | 'floor'
  | 'stopped'
  /** The policy only observes: nothing kept it from starting. */
  | 'observed';

/** What planning found. A refusal is an outcome with its reason, never an empty list (invariant 6). */
export type Plan =
  | {
      readonly kind: 'planned';
      readonly targets: readonly PlannedTarget[];
      /** Ids of episodes that are over by the intake's tombstones (rule R4). */
      readonly resolved: readonly string[];
      /** What an approval signs; where that was asked for. */
      readonly digest?: string;
      /** Labels that named no agent, for `onMissing: skip`. */
      readonly skipped: readonly string[];
      /** Of a policy with guards. */
      readonly domains?: PlanDomains;
    }
  | { readonly kind: 'held'; readonly reason: HeldReason; readonly detail: string };

/** What a repair would do, for people who look before it acts. */
export type PlanOutlook = {
  /** Hosts of each batch, in order. */
  readonly steps: readonly { readonly name: string; readonly batches: readonly number[] }[];
  /** Fault domains of its hosts, of how many agents, and how many may be held at once; null: all. */
  readonly domains: readonly {
    readonly name: string;
    readonly hosts: number;
    readonly agents: number;
    readonly cap: number | null;
  }[];
};

/** What the query `progress` answers, and `remediation show` prints. */
export type RemediationProgress = {
  readonly remediationId: string;
  readonly policy: string;
  readonly runbook: string;
  readonly state: RemediationState;
  readonly reason: string | null;
  readonly hosts: number;
  readonly hostsFailed: number;
  readonly episodes: readonly {
    readonly id: string;
    readonly name: string;
    readonly open: boolean;
  }[];
  readonly steps: readonly {
    readonly name: string;
    readonly batches: readonly {
      readonly batch: number;
      readonly attempt: number;
      readonly letters: string;
      readonly taskKey: string;
      /** Not the step itself was run but its probe, on hosts whose outcome was unknown. */
      readonly probe?: true;
    }[];
  }[];
  readonly targets: readonly {
    readonly agentId: string;
    readonly name: string | null;
    readonly letter: string;
    /** Whose letter it is, unless it is the last step's that was begun: `verify`, or a step before. */
    readonly step?: string | undefined;
  }[];
  /** What it would do, where it stopped before that for people to look. */
  readonly outlook?: PlanOutlook;
  /** Who is asked to approve it, or was. */
  readonly approval?: ApprovalView;
  /** What operators decided, oldest first. */
  readonly decisions?: readonly OperatorDecision[];
};
/** `at` is Unix milliseconds. */
export type OperatorDecision = Omit<OperatorUpdate, 'via'> & {
  readonly action: string;
  readonly at: number;
  /** Absent of what Fixpoint itself did, and in a run from before it was kept. */
  readonly via?: 'api' | 'temporal';
};
export type RemediationResult = {
  readonly remediationId: string;
  readonly state: RemediationEnd;
  readonly reason: string | null;
  readonly hosts: number;
  readonly hostsFailed: number;
  /** One letter per host and step, in the plan's order. */
  readonly letters: Readonly<Record<string, string>>;
};

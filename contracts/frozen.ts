// What a repair carries with it from its start, so that a reload of policies and runbooks changes no
// running one. A field that a later version adds is optional here: a run begun before it has none.

import type { BreakerSpec } from './breaker.ts';
import type { FrozenEscalation } from './escalation.ts';
import type { ScriptAction } from './task.ts';

/** A runbook as frozen into a repair: scripts by value, so that a reload changes nothing. */
export type FrozenScript = {
  readonly action: ScriptAction;
  /** Whether stdin is to be the host's alerts as JSON. */
  readonly alertsOnStdin: boolean;
  readonly digest: string;
};
export type FrozenStep = {
  readonly name: string;
  readonly script: FrozenScript;
  readonly timeoutMs: number;
  readonly contract: 'repeatable' | 'once' | 'probe';
  /** Of a step with contract `probe` only. */
  readonly probe?: { readonly script: FrozenScript; readonly timeoutMs: number };
  readonly expectReboot?: true;
  /** What takes the step back where it may have run, should the repair fail. */
  readonly rollback?: FrozenUndo;
  readonly retry: {
    readonly attempts: number;
    readonly backoffMs: number;
    readonly on: readonly ('failed' | 'timed_out' | 'unreachable' | 'unknown')[];
  };
  readonly rollout: {
    /** Hosts per batch, where there is no expression. */
    readonly batchSize?: number;
    /** `1 10% +5 *2`; it can be parsed. */
    readonly expression?: string;
    readonly maxFailures: number | string;
    /** Absent: stop. */
    readonly mode?: 'stop' | 'pause' | 'continue';
    readonly pauseBetweenMs?: number;
    readonly soakMs: number;
  };
};
/** Safe on a host where its step ran not at all or only half. */
export type FrozenUndo = {
  readonly script: FrozenScript;
  readonly timeoutMs: number;
  readonly contract: 'repeatable' | 'once';
  readonly retry: FrozenStep['retry'];
};
export type FrozenRunbook = {
  readonly name: string;
  readonly digest: string;
  /** People approve it before it touches a host. */
  readonly destructive?: true;
  readonly steps: readonly FrozenStep[];
  readonly verify: {
    readonly probe: FrozenProbe | null;
    readonly withinMs: number;
    /** How long the proof must last; then it is asked once more. Absent: not at all. */
    readonly soakMs?: number;
  };
};
/** What proves a repair on a host: a script that runs there, or a page that is asked for. */
export type FrozenProbe = FrozenScriptProbe | FrozenHttpProbe;
export type FrozenScriptProbe = { readonly script: FrozenScript; readonly timeoutMs: number };
export type FrozenHttpProbe = {
  readonly http: {
    /** May hold `${labels.x}`, `${host.hostname}` and `${host.ip}`. */
    readonly url: string;
    readonly status: number;
    /** Text that the beginning of the page must hold. */
    readonly contains?: string;
  };
  readonly timeoutMs: number;
};
export type FrozenTargets = {
  readonly from: {
    readonly label: string;
    readonly strip: 'port' | 'none';
    readonly by: string;
  } | null;
  readonly select: readonly string[] | null;
  readonly onMissing: 'refuse' | 'skip';
  /**
   * Alone: these agents by id or name, all of which must be there. Beside `from` or `select`, by id: of
   * the hosts that those find these alone.
   */
  readonly agents?: readonly string[];
};
/** `N`, or `N%` of a whole that is known only when it is asked. */
export type Share = number | string;

/** What a repair may touch at once (invariant 5). */
export type FrozenGuards = {
  /** Labels of agents that make fault domains, the widest first. */
  readonly domainBy: readonly string[];
  /** Such labels of the other policies: what this repair holds counts in their domains too. */
  readonly countedBy?: readonly (readonly string[])[];
  /** Hosts of a fault domain held at once, or of its enrolled agents. Absent: see `Caps`. */
  readonly blastRadius?: Share;
  /** Healthy hosts of a service that stay untouched (rule X6), or of its enrolled agents. */
  readonly floor?: Share;
  /** Hosts of one repair, or of all that are enrolled. */
  readonly maxTargets?: Share;
};
export type FrozenPolicy = {
  readonly name: string;
  readonly digest: string;
  readonly targets: FrozenTargets;
  readonly onResolved: 'drop' | 'continue';
  readonly guards?: FrozenGuards;
  /** Absent: its failures count nowhere. */
  readonly breaker?: BreakerSpec;
  /** Absent: `auto`. */
  readonly autonomy?: 'observe' | 'approve' | 'auto';
  /** With `approve` only. */
  readonly approval?: FrozenApproval;
  /** An alert that always fires: while it is heard its source is alive. Absent: nobody asks. */
  readonly watchdog?: FrozenWatchdog;
  /** Who is told when a repair ends so. Absent: nobody. */
  readonly escalation?: FrozenEscalation;
};
/** Who must approve a repair before it touches a host. */
export type FrozenApproval = {
  readonly approvers: number;
  readonly expiresMs: number;
  /** Names of credentials. */
  readonly notBy?: readonly string[];
  /** Only answers through the api count. It is what the sender says: no guard against one who lies. */
  readonly fromTemporal?: false;
};
/** `withinMs`: how long after a resolved it may take to be heard again. */
export type FrozenWatchdog = {
  readonly source: string;
  readonly alertname: string;
  readonly withinMs: number;
};

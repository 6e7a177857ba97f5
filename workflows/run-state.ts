import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { PlanDomains } from '../contracts/admission.ts';
import type { FrozenStep } from '../contracts/frozen.ts';
import type { StandingStop } from '../contracts/stop.ts';
import type { TaskReport } from '../contracts/task.ts';
import type {
  Episode,
  OperatorUpdate,
  Plan,
  PlannedTarget,
  PlanOutlook,
  RemediationInput,
  RemediationProgress,
  RemediationState,
} from '../contracts/temporal.ts';
import { Approval } from '../domain/approval.ts';
import { BatchLedger } from '../domain/batch-ledger.ts';
import { type CarriedHolds, HoldLedger } from '../domain/hold-ledger.ts';
import { type HostStanding, hostStanding } from '../domain/host-standing.ts';
import { type PackedTargets, packTargets, unpackTargets } from '../domain/packed-targets.ts';
import { detailRowsMax, detailsOf } from '../domain/remediation-details.ts';
import { type CarriedRollout, RolloutMemory } from '../domain/rollout-memory.ts';
import { type CarriedDecisions, RunDecisions } from '../domain/run-decisions.ts';
import { stopText } from '../domain/stop-scope.ts';
import { attributes } from './attributes.ts';

type AttemptRow = {
  batch: number;
  attempt: number;
  letters: string;
  taskKey: string;
  probe?: true;
};
type StepState = { readonly name: string; readonly ledger: BatchLedger; attempts: AttemptRow[] };

/** What a remediation carries into its next run; plain JSON. What a later version adds is optional. */
export type CarriedRun = {
  /** Packed where they can be; else one by one, as runs of before had them. */
  readonly targets: PackedTargets | readonly PlannedTarget[];
  readonly resolved: readonly string[];
  readonly startedAtMs: number;
  readonly steps: readonly {
    readonly name: string;
    readonly letters: string;
    /** Positions where it ran, which the letter does not say. */
    readonly began?: readonly number[];
  }[];
  readonly next: { readonly step: number; readonly batch: number };
  readonly domains?: PlanDomains;
  readonly holds?: CarriedHolds;
  readonly rollout?: CarriedRollout;
  readonly decisions?: CarriedDecisions;
  readonly probeBatches?: number;
  readonly leftOut?: readonly number[];
  /** The steps are over, and are undone because of `why`: step and batch, from 1, are next. */
  readonly rollback?: { readonly why: string; readonly step: number; readonly batch: number };
};

/** Failures of a proof that a reason names; the others have their letters. */
const proofWordsMax = 3;

/** A finished plan. */
export type Planned = Extract<Plan, { kind: 'planned' }>;

/**
 * All that one remediation knows: its phase, what became of every host, and what arrived by
 * signal. Handlers only write here; the main function decides.
 */
export class RunState {
  readonly input: RemediationInput;
  readonly startedAtMs: number;
  /** Reports of finished tasks by key; one that arrives before its submit returned is kept (R7). */
  readonly reports = new Map<string, TaskReport>();
  readonly decisions: RunDecisions;
  readonly rollout: RolloutMemory;
  /** What it would do; null unless people look at that before it acts. */
  outlook: PlanOutlook | null = null;
  /** Null unless people must approve what it does. */
  readonly approval: Approval | null;
  /** The step whose batches run, and the positions that it is for. */
  openStep: { readonly step: FrozenStep; readonly planned: readonly number[] } | null = null;
  /** Agent ids of the hosts whose scripts may run now. */
  inFlight: ReadonlySet<string> = new Set();
  /** Batches that the proof was made in so far: the next one has a key of its own. */
  probeBatches: number;
  /** The phase in which a stop of its policy made it wait; null while none does. */
  pausedIn: RemediationState | null = null;
  #stop: StandingStop | null = null;
  #wasStopped = false;
  #phase: RemediationState = 'planning';
  #reason: string | null = null;
  #targets: readonly PlannedTarget[] = [];
  #domains: PlanDomains | null = null;
  #holds: HoldLedger | null = null;
  readonly #resolved: Set<string>;
  /** Hosts that were gone when the plan was made again: nothing is done to them. */
  #leftOut: ReadonlySet<number>;
  readonly #returned = new Set<string>();
  #proofWords: readonly string[] = [];
  #resolvedAtMs: number;
  readonly #steps: StepState[] = [];

  constructor(input: RemediationInput, nowMs: number) {
    const carried = input.carried as CarriedRun | undefined; // Only this workflow writes it.
    this.input = input;
    this.startedAtMs = carried?.startedAtMs ?? nowMs;
    this.#resolvedAtMs = nowMs;
    this.decisions = new RunDecisions(carried?.decisions);
    this.rollout = new RolloutMemory(carried?.rollout);
    this.probeBatches = carried?.probeBatches ?? 0;
    this.#resolved = new Set(carried?.resolved);
    this.#leftOut = new Set(carried?.leftOut);
    const { autonomy, approval: rules } = input.policy;
    this.approval =
      autonomy === 'approve' && rules !== undefined
        ? new Approval({ rules, startedBy: input.startedBy ?? null })
        : null;
    if (carried === undefined) return;
    const { targets, domains, holds } = carried;
    this.#standOn('ids' in targets ? unpackTargets(targets) : targets, domains, holds);
    this.#phase = carried.rollback === undefined ? 'running' : 'rolling_back';
    for (const { name, letters, began } of carried.steps) {
      this.#steps.push({ name, ledger: new BatchLedger(letters, began), attempts: [] });
    }
  }

  get phase(): RemediationState {
    return this.#phase;
  }
  get reason(): string | null {
    return this.#reason;
  }
  get targets(): readonly PlannedTarget[] {
    return this.#targets;
  }
  /** Where the hosts stand; null in a repair that was begun before there were guards. */
  get domains(): PlanDomains | null {
    return this.#domains;
  }
  /** Null where there are no domains: then nobody is asked before a host is touched. */
  get holds(): HoldLedger | null {
    return this.#holds;
  }
  get cancelRequest(): OperatorUpdate | null {
    return this.decisions.cancel;
  }

  /** Who stopped its policy, as far as it was told; null if nobody did. */
  get stop(): StandingStop | null {
    return this.#stop;
  }
  stopChanged(stop: StandingStop | null): void {
    this.#stop = stop;
    this.#wasStopped ||= stop !== null;
    this.show();
  }
  /** Whether it was stopped at any time since this was asked last. */
  takeWasStopped(): boolean {
    const was = this.#wasStopped;
    this.#wasStopped = this.#stop !== null;
    return was;
  }

  /** The newest plan counts. */
  planned(plan: Planned): void {
    this.#leftOut = new Set();
    this.#standOn(plan.targets, plan.domains);
    this.resolve(plan.resolved);
  }

  #standOn(targets: readonly PlannedTarget[], domains?: PlanDomains, carried?: CarriedHolds): void {
    this.#targets = targets;
    if (domains === undefined) return;
    this.#domains = domains;
    const agentIds = targets.map(({ agentId }) => agentId);
    this.#holds = new HoldLedger({ domains, agentIds, ...(carried ? { carried } : {}) });
  }

  resolve(episodes: readonly string[], nowMs = Date.now()): void {
    if (episodes.length > 0) this.#resolvedAtMs = nowMs;
    for (const id of episodes) this.#resolved.add(id);
  }
  /** When the sender last said that an alert is over; at the latest when this history began. */
  get resolvedAtMs(): number {
    return this.#resolvedAtMs;
  }

  /** Their alerts fire again: hosts that have not had their turn are no longer left out. */
  reopen(episodes: readonly string[]): void {
    for (const id of episodes) {
      this.#resolved.delete(id);
      this.#returned.add(id);
    }
  }

  /** From now on `hasReturned` counts; what came back before belongs to no proof. */
  watchReturns(): void {
    this.#returned.clear();
  }
  /** Whether an alert of the host came back since. */
  hasReturned(position: number): boolean {
    return this.#episodesOf(position).some(({ id }) => this.#returned.has(id));
  }

  /** Why hosts did not pass their last proof, in words; none in place of those before. */
  proofFails(words: readonly string[]): void {
    this.#proofWords = words.length === 0 ? [] : [...this.#proofWords, ...words];
  }
  /** The first of them in brackets, behind a space, or nothing. */
  get proofWords(): string {
    const words = this.#proofWords.slice(0, proofWordsMax);
    return words.length === 0 ? '' : ` (${words.join(', ')})`;
  }

  allResolved(): boolean {
    return this.input.episodes.every((episode) => this.#resolved.has(episode.id));
  }

  /** Whether every alert of this host is over and the policy says to drop it then (rule R4). */
  isDropped(position: number): boolean {
    return this.input.policy.onResolved !== 'continue' && this.isResolved(position);
  }

  /** Whether every alert of this host is over, whatever the policy makes of that. */
  isResolved(position: number): boolean {
    return this.#episodesOf(position).every((episode) => this.#resolved.has(episode.id));
  }

  #episodesOf(position: number): readonly Episode[] {
    const target = this.#targets[position];
    return target?.episodes?.flatMap((at) => this.input.episodes[at] ?? []) ?? this.input.episodes;
  }

  leaveOut(positions: readonly number[]): void {
    this.#leftOut = new Set(positions);
  }
  isLeftOut(position: number): boolean {
    return this.#leftOut.has(position);
  }
  /** Every host is gone, or all its alerts are over. */
  isNobodyLeft(): boolean {
    return this.#targets.every((_, at) => this.isLeftOut(at) || this.isDropped(at));
  }

  ledgerOf(step: string): BatchLedger {
    const known = this.#steps.find(({ name }) => name === step);
    if (known !== undefined) return known.ledger;
    const ledger = new BatchLedger(this.#targets.length);
    this.#steps.push({ name: step, ledger, attempts: [] });
    return ledger;
  }

  /** The same without making one: what was not begun has no ledger. */
  knownLedgerOf(step: string): BatchLedger | null {
    return this.#steps.find(({ name }) => name === step)?.ledger ?? null;
  }

  attempted(step: string, row: AttemptRow): void {
    const found = this.#steps.find(({ name }) => name === step);
    if (found === undefined) return;
    const same = found.attempts.find(({ taskKey }) => taskKey === row.taskKey);
    if (same === undefined) found.attempts.push(row);
    else same.letters = row.letters;
    this.show();
  }

  /** The phase in words, search attributes and details. One history event. */
  enter(phase: RemediationState, more: { reason?: string | null; deadlineMs?: number } = {}): void {
    this.#phase = phase;
    this.#reason = more.reason ?? null;
    upsertSearchAttributes([
      { key: attributes.state, value: phase },
      { key: attributes.hosts, value: this.#targets.length },
      { key: attributes.hostsFailed, value: this.hostsFailed() },
      ...(more.deadlineMs === undefined
        ? []
        : [{ key: attributes.deadline, value: new Date(more.deadlineMs) }]),
    ]);
    this.show();
  }

  /** Why it is in this phase, where that changes within it. No event. */
  explain(reason: string): void {
    this.#reason = reason;
    this.show();
  }

  show(): void {
    setCurrentDetails(detailsOf(this.progress(detailRowsMax)));
  }

  hostsFailed(): number {
    return Math.max(0, ...this.#steps.map(({ ledger }) => ledger.failed()));
  }

  letters(): Record<string, string> {
    return Object.fromEntries(this.#steps.map(({ name, ledger }) => [name, ledger.letters()]));
  }

  /** With `targetsMax` only so many hosts one by one: a plan may have thousands. */
  progress(targetsMax = this.#targets.length): RemediationProgress {
    const { made } = this.decisions;
    const approval = this.approval?.view() ?? null;
    return {
      remediationId: this.input.remediationId,
      policy: this.input.policy.name,
      runbook: this.input.runbook.name,
      state: this.#phase,
      reason: this.#reason ?? this.#pending(),
      hosts: this.#targets.length,
      hostsFailed: this.hostsFailed(),
      episodes: this.input.episodes.map(({ id, name }) => ({
        id,
        name,
        open: !this.#resolved.has(id),
      })),
      steps: this.#steps.map(({ name, attempts }) => ({ name, batches: attempts })),
      targets: this.#targets.slice(0, targetsMax).map(({ agentId, name }, position) => ({
        ...{ agentId, name: name ?? null },
        ...this.#standingAt(position),
      })),
      ...(this.outlook === null ? {} : { outlook: this.outlook }),
      ...(approval === null ? {} : { approval }),
      ...(made.length === 0 ? {} : { decisions: made }),
    };
  }

  #standingAt(position: number): HostStanding {
    const isStep = ({ name }: StepState) => name !== 'verify' && !name.startsWith('undo-');
    const agentId = this.#targets[position]?.agentId;
    const proof = this.knownLedgerOf('verify')?.letterAt(position) ?? 'h';
    return hostStanding({
      isInFlight: agentId !== undefined && this.inFlight.has(agentId),
      steps: this.#steps
        .filter(isStep)
        .map(({ name, ledger }) => ({ name, letter: ledger.letterAt(position) })),
      proof: this.#phase === 'verifying' ? null : proof,
    });
  }

  /** A pause that was asked for while a batch runs, which is not disturbed (rule X16). */
  #pending(): string | null {
    const { pause } = this.decisions;
    if (this.#phase === 'running' && this.#stop !== null) {
      return `${stopText(this.#stop)}; nothing more is started`;
    }
    return this.#phase === 'running' && pause !== null
      ? `pauses before the next batch: ${pause.reason} (${pause.by})`
      : null;
  }

  carried(next: CarriedRun['next']): CarriedRun {
    return {
      targets: packTargets(this.#targets) ?? this.#targets,
      resolved: [...this.#resolved],
      startedAtMs: this.startedAtMs,
      steps: this.#steps.map(({ name, ledger }) => {
        const began = ledger.begun();
        return { name, letters: ledger.letters(), ...(began.length === 0 ? {} : { began }) };
      }),
      next,
      ...(this.#domains === null ? {} : { domains: this.#domains }),
      ...(this.#holds === null ? {} : { holds: this.#holds.carried() }),
      rollout: this.rollout.carried(),
      decisions: this.decisions.carried(),
      probeBatches: this.probeBatches,
      ...(this.#leftOut.size === 0 ? {} : { leftOut: [...this.#leftOut] }),
    };
  }
}

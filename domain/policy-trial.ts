// What a policy would do with alerts, by the very rules that decide it, and nothing is done: the match
// of the dispatcher, the due episodes of a mailbox, the plan of the activity, the refusals of a repair.

import type { Alert } from '../contracts/alert.ts';
import type { FrozenPolicy, FrozenRunbook, Share } from '../contracts/frozen.ts';
import type { Clocks } from '../contracts/limits.ts';
import type {
  AlertRef,
  Episode,
  MailboxSettings,
  Plan,
  RemediationInput,
} from '../contracts/temporal.ts';
import { alertRefOf } from './alert-ref.ts';
import { HoldLedger } from './hold-ledger.ts';
import { groupIdOf, type Sha256 } from './ids.ts';
import { MailboxState } from './mailbox.ts';
import { packTargets } from './packed-targets.ts';
import { groupOf, type PolicyRule, verdictsOf } from './policy-match.ts';
import { planHosts } from './repair-plan.ts';
import { RolloutMemory } from './rollout-memory.ts';
import { RunDecisions } from './run-decisions.ts';
import { type PlannedRepair, whyNothingStarts } from './start-refusal.ts';
import { stepBatches } from './step-batches.ts';
import { type SuppressionRule, suppressionOf } from './suppression.ts';
import type { InventoryAgent, SelectAgents } from './target-selection.ts';
import { namesUsed } from './value-names.ts';

export type TrialPolicy = PolicyRule &
  SuppressionRule & {
    readonly name: string;
    readonly spec: { readonly group: { readonly by: readonly string[] }; readonly runbook: string };
    readonly frozen: FrozenPolicy;
    readonly settings: MailboxSettings;
  };

export type Trial<P extends TrialPolicy> = {
  readonly policies: readonly P[];
  readonly runbooks: ReadonlyMap<string, FrozenRunbook>;
  readonly agents: readonly InventoryAgent[];
  readonly select: SelectAgents;
  readonly targetsMax: number;
  readonly blastRadius: Share | undefined;
  readonly clocks: Clocks;
  readonly nowMs: number;
  readonly sha256: Sha256;
};

/** What one policy makes of one alert; `detail` is the matcher that failed, or what suppresses it. */
export type AlertVerdict<P> = {
  readonly policy: P;
  readonly kind:
    | ReturnType<typeof verdictsOf>[number]['kind']
    | 'shielded'
    | 'maintenance'
    | 'resolved'
    | 'truncated';
  readonly detail: string | null;
};

/** What every policy makes of an alert, in file order; only `taken` may start a repair. */
export function judgeAlert<P extends TrialPolicy>(
  alert: Alert,
  { policies, nowMs }: Pick<Trial<P>, 'policies' | 'nowMs'>,
): readonly AlertVerdict<P>[] {
  return verdictsOf(alert, policies).map((verdict): AlertVerdict<P> => {
    const { policy } = verdict;
    if (verdict.kind === 'matcher') return { policy, kind: 'matcher', detail: verdict.matcher };
    if (verdict.kind !== 'taken') return { policy, kind: verdict.kind, detail: null };
    if (alert.truncated) return { policy, kind: 'truncated', detail: null };
    if (alert.status === 'resolved') return { policy, kind: 'resolved', detail: null };
    const suppression = suppressionOf(alert, policy, nowMs);
    if (suppression === null) return { policy, kind: 'taken', detail: null };
    return { policy, kind: suppression.reason, detail: suppression.detail };
  });
}

/** The repair that a group's alerts would begin, were its mailbox to hear of these and no others. */
export type GroupPlan<P> = {
  readonly policy: P;
  readonly groupId: string;
  readonly episodes: readonly Episode[];
  readonly plan: Plan;
  /** Why it would not be begun although its hosts are known; null if it would, or if they are not. */
  readonly refusal: { readonly reason: string; readonly detail: string } | null;
  /** Of each step, the hosts of each batch as places in the plan. */
  readonly steps: readonly {
    readonly name: string;
    readonly batches: readonly (readonly number[])[];
  }[];
};

/** One plan for each policy and group that takes some of the alerts. */
export function plansFor<P extends TrialPolicy>(
  alerts: readonly Alert[],
  trial: Trial<P>,
): readonly GroupPlan<P>[] {
  const groups = new Map<string, { policy: P; groupId: string; alerts: Alert[] }>();
  for (const alert of alerts) {
    for (const { policy, kind } of judgeAlert(alert, trial)) {
      if (kind !== 'taken') continue;
      const groupId = groupIdOf(groupOf(policy.spec.group.by, alert.labels), trial.sha256);
      const key = `${policy.name}:${groupId}`;
      const group = groups.get(key) ?? { policy, groupId, alerts: [] };
      group.alerts.push(alert);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map((group) => planGroup(group, trial));
}

function planGroup<P extends TrialPolicy>(
  group: { readonly policy: P; readonly groupId: string; readonly alerts: readonly Alert[] },
  trial: Trial<P>,
): GroupPlan<P> {
  const { policy, groupId } = group;
  const runbook = trial.runbooks.get(policy.spec.runbook);
  const annotations = new Set(namesUsed(runbook, 'annotations'));
  const hostValues = namesUsed(runbook, 'host');
  const refs = group.alerts.map((alert) => alertRefOf(alert, { late: false, annotations }));
  const episodes = dueOf(refs, policy.settings, trial.nowMs);
  const { targets, guards } = policy.frozen;
  const plan = planHosts({
    ...{ targets, episodes, agents: trial.agents, select: trial.select },
    ...{ targetsMax: trial.targetsMax, blastRadius: trial.blastRadius },
    ...(guards === undefined ? {} : { guards }),
    ...(hostValues.length === 0 ? {} : { hostValues }),
  });
  const known = { policy, groupId, episodes, plan };
  if (plan.kind === 'held' || runbook === undefined) return { ...known, refusal: null, steps: [] };
  const repair = notBegun({ ...group, episodes, plan, runbook }, trial);
  const refusal = whyNothingStarts(repair);
  if (refusal !== null) {
    const word =
      refusal.kind === 'held' ? refusal : { reason: 'superseded', detail: 'every alert is over' };
    return { ...known, refusal: word, steps: [] };
  }
  const everyone = plan.targets.map((_, position) => position);
  const steps = runbook.steps.map((step) => {
    const batches = stepBatches(repair, step, everyone);
    return { name: step.name, batches: batches.kind === 'planned' ? batches.batches : [] };
  });
  return { ...known, refusal: null, steps };
}

/** The episodes that a mailbox which hears of these alerts at once would repair once it has waited. */
function dueOf(
  alerts: readonly AlertRef[],
  settings: MailboxSettings,
  nowMs: number,
): readonly Episode[] {
  const mailbox = new MailboxState({ settings, carried: undefined });
  mailbox.take(alerts, nowMs);
  const decision = mailbox.decide(nowMs);
  const later = decision.kind === 'wait' ? mailbox.decide(decision.untilMs ?? nowMs) : decision;
  return later.kind === 'start' ? later.episodes : [];
}

function notBegun(
  of: {
    readonly policy: TrialPolicy;
    readonly groupId: string;
    readonly episodes: readonly Episode[];
    readonly plan: Extract<Plan, { kind: 'planned' }>;
    readonly runbook: FrozenRunbook;
  },
  { clocks, nowMs }: { readonly clocks: Clocks; readonly nowMs: number },
): PlannedRepair {
  const { policy, groupId, episodes, runbook } = of;
  const { targets, domains } = of.plan;
  const input: RemediationInput = {
    remediationId: `remediation:${policy.name}:${groupId}:00000000-1`,
    mailboxId: `mailbox:${policy.name}:${groupId}`,
    ...{ trigger: 'alert', policy: policy.frozen, runbook, groupId, episodes, clocks },
    callbackUrl: '',
  };
  const agentIds = targets.map(({ agentId }) => agentId);
  return {
    ...{ input, targets, domains: domains ?? null, isNobodyLeft: () => false },
    carried: (next) => ({
      targets: packTargets(targets) ?? targets,
      ...{ resolved: [], startedAtMs: nowMs, steps: [], next, domains },
      ...(domains === undefined ? {} : { holds: new HoldLedger({ domains, agentIds }).carried() }),
      rollout: new RolloutMemory().carried(),
      decisions: new RunDecisions().carried(),
      probeBatches: 0,
    }),
  };
}

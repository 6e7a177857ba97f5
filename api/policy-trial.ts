import type { Alert } from '../contracts/alert.ts';
import type { ControlState } from '../contracts/control.ts';
import type { GuardStanding } from '../contracts/guard-standing.ts';
import type { PolicyPlan, PolicyTestAnswer } from '../contracts/http.ts';
import { defaultClocks, limits } from '../contracts/limits.ts';
import type { Storm } from '../contracts/storm.ts';
import { workflowIds } from '../contracts/temporal.ts';
import { alertingHost } from '../domain/alerting-host.ts';
import { breakerGuard } from '../domain/breaker-standing.ts';
import { durationText } from '../domain/duration-text.ts';
import { mailboxGuards, noFacts } from '../domain/mailbox-standing.ts';
import { type FleetFacts, massGuard, planGuards } from '../domain/plan-standing.ts';
import { type GroupPlan, judgeAlert, plansFor, type Trial } from '../domain/policy-trial.ts';
import { stopsOf } from '../domain/stop-scope.ts';
import { hostValue } from '../domain/target-selection.ts';
import { selectAgents } from '../platform/agent-matchers.ts';
import { sha256 } from '../platform/digest.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';
import { breakerOf } from '../platform/policy-guards.ts';
import type { ScopeDeps } from './control-scope.ts';
import { guardsOf } from './mailbox-guards.ts';
import type { TemporalDeps } from './temporal-call.ts';

export type TrialDeps = ScopeDeps &
  TemporalDeps & {
    readonly control: { read(): Promise<ControlState | null> };
    /** Hosts of each domain that repairs hold now. */
    readonly held: () => Promise<ReadonlyMap<string, number>>;
    /** Those of the agents that were heard lately. */
    readonly connected: (agentIds: readonly string[]) => Promise<ReadonlySet<string>>;
    /** The storm that a policy is in now. */
    readonly stormOf: (policy: string) => Promise<Storm | null>;
    /** The configuration's, which holds for every policy. */
    readonly blastRadius: Trial<LoadedPolicy>['blastRadius'];
  };

/** Hosts that an answer names one by one. */
const namedMax = limits.pageMax;

/** What the policies would do with these alerts now. It reads, and starts and changes nothing. */
export async function trialOf(
  deps: TrialDeps,
  alerts: readonly Alert[],
): Promise<Required<Pick<PolicyTestAnswer, 'alerts' | 'plans'>>> {
  const { complete, agents } = await deps.inventory();
  const trial: Trial<LoadedPolicy> = {
    ...deps.policies,
    ...{ agents, select: selectAgents, targetsMax: limits.targetsMax, sha256 },
    ...{ blastRadius: deps.blastRadius, clocks: defaultClocks, nowMs: deps.clock.now() },
  };
  const fleet = await fleetOf(deps, agents);
  const plans = complete ? plansFor(alerts, trial) : [];
  return {
    alerts: alerts.map((alert) => ({
      ...{ name: alert.name, fingerprint: alert.fingerprint, status: alert.status },
      verdicts: judgeAlert(alert, trial).map(({ policy, kind, detail }) => ({
        ...{ policy: policy.name, verdict: kind, detail },
      })),
    })),
    plans: complete
      ? await Promise.all(plans.map((plan) => viewOf(deps, plan, fleet)))
      : [incomplete(agents.length)],
  };
}

const incomplete = (agents: number): PolicyPlan => ({
  ...{ policy: '', runbook: '', groupId: '', alerts: 0, outcome: 'held', hosts: 0 },
  reason: `inventory_incomplete: ${agents} agents are known, and more may be; see \`fixpoint status\``,
  ...{ targets: [], skipped: [], steps: [], guards: [] },
});

/** What cannot be asked is left out: the plan is told all the same. */
async function fleetOf(deps: TrialDeps, agents: FleetFacts['agents']): Promise<FleetFacts> {
  const [held, connected, state] = await Promise.all([
    deps.held().catch(() => null),
    deps.connected(agents.map(({ agentId }) => agentId)).catch(() => new Set<string>()),
    deps.control.read().catch(() => null),
  ]);
  const stops = state === null ? unknownSwitch : stopsOf(state);
  return { agents, held, connected, stops, breakers: state?.breakers ?? [] };
}

/** Missing control state means stopped (invariant 4). */
const unknownSwitch = [{ scope: null, reason: 'the switch is not known now', by: '', at: 0 }];

async function viewOf(
  deps: TrialDeps,
  group: GroupPlan<LoadedPolicy>,
  fleet: FleetFacts,
): Promise<PolicyPlan> {
  const { policy, groupId, episodes, plan, refusal, steps } = group;
  const mailbox = await mailboxGuardsOf(deps, group);
  const own =
    plan.kind === 'held'
      ? []
      : planGuards({
          ...{ policy: policy.name, plan, fleet },
          guards: policy.frozen.guards ?? { domainBy: [] },
        });
  const mass = massGuard({
    massHosts: policy.spec.guards.massHosts,
    enrolled: fleet.agents.length,
    alerting: new Set(episodes.map((episode) => alertingHost(episode, policy.frozen.targets))).size,
    storm: await deps.stormOf(policy.name).catch(() => null),
  });
  const breaker = breakerGuard({
    ...{ policy: policy.name, spec: breakerOf(policy.spec.guards) },
    ...{ open: fleet.breakers, nowMs: deps.clock.now() },
  });
  // What its mailbox was refused by last may be over.
  const others = mailbox.filter(({ guard }) => guard !== breaker.guard);
  const standing = [...standingRules(policy), mass, breaker, ...others, ...own];
  const guards = [...standing, ...askedPeople(policy)];
  const held = plan.kind === 'held' ? plan : refusal;
  const holding = guards.filter(({ holds }) => holds).map(({ guard }) => guard);
  const word = held !== null ? `${held.reason}: ${held.detail}` : holding.join(', ') || null;
  const targets = plan.kind === 'held' ? [] : plan.targets;
  return {
    ...{ policy: policy.name, runbook: policy.spec.runbook, groupId, alerts: episodes.length },
    outcome: held !== null ? 'held' : holding.length > 0 ? 'waits' : 'starts',
    reason: word,
    hosts: targets.length,
    targets: targets.slice(0, namedMax).map((target) => ({
      agentId: target.agentId,
      name: nameOf(fleet, target.agentId),
      because: becauseOf(group, target.episodes),
    })),
    skipped: plan.kind === 'held' ? [] : [...plan.skipped],
    steps: steps.map(({ name, batches }) => ({ name, batches: batches.map((at) => at.length) })),
    guards: guards.map((guard) => ({ ...guard })),
  };
}

async function mailboxGuardsOf(
  deps: TrialDeps,
  { policy, groupId }: GroupPlan<LoadedPolicy>,
): Promise<readonly GuardStanding[]> {
  const standing = await guardsOf(deps, workflowIds.mailbox(policy.name, groupId));
  return standing ?? mailboxGuards(noFacts(policy.settings), deps.clock.now());
}

/** An alert that these keep is not planned for, so none of them holds here. */
function standingRules({ shield, maintenance }: LoadedPolicy): readonly GuardStanding[] {
  const passes = { slack: null, holds: false, untilMs: null, remedy: '' };
  return [
    {
      ...{ guard: 'guards.shield', limit: `${shield.length} entries` },
      ...{ use: '0 match', ...passes },
    },
    {
      ...{ guard: 'guards.maintenance', limit: `${maintenance.length} windows` },
      ...{ use: '0 open', ...passes },
    },
  ];
}

/** Whom the repair would ask before it acts: nobody, if its policy acts by itself. */
function askedPeople({ frozen }: LoadedPolicy): readonly GuardStanding[] {
  const { autonomy, approval } = frozen;
  const word = { use: '0 have', slack: null, holds: false, untilMs: null };
  if (autonomy === 'observe') {
    const remedy = 'autonomy: approve or auto lets it act';
    return [{ guard: 'autonomy: observe', limit: 'nothing starts', ...word, holds: true, remedy }];
  }
  if (autonomy !== 'approve' || approval === undefined) return [];
  const asked = `${approval.approvers} must approve within ${durationText(approval.expiresMs)}`;
  return [{ guard: 'autonomy: approve', limit: asked, ...word, remedy: '' }];
}

const nameOf = ({ agents }: FleetFacts, agentId: string): string =>
  agents.find((agent) => agent.agentId === agentId)?.labels.get('name') ?? agentId;

/** Which label of which alert names a host, or which matchers its labels satisfy. */
function becauseOf(
  { policy, episodes }: GroupPlan<LoadedPolicy>,
  positions: readonly number[] = [],
): string {
  const { from, select } = policy.frozen.targets;
  if (from === null) return (select ?? []).join(' and ');
  const [first = 0] = positions;
  const value = new Map(episodes[first]?.labels).get(from.label);
  const more = positions.length > 1 ? ` and ${positions.length - 1} more alerts` : '';
  return `${from.label}="${value ?? ''}" is ${from.by} ${hostValue(value, from.strip) ?? ''}${more}`;
}

import type { FrozenTargets } from '../contracts/frozen.ts';
import type { Episode, HeldReason, Plan, PlannedTarget } from '../contracts/temporal.ts';

/** An enrolled agent as planning sees it: labels as pairs from its register (rule X5). */
export type InventoryAgent = {
  readonly agentId: string;
  readonly journalId: string;
  readonly labels: ReadonlyMap<string, string>;
};

/** Whether an agent's labels satisfy all of the policy's matchers. */
export type SelectAgents = (
  select: readonly string[],
  labels: ReadonlyMap<string, string>,
) => boolean;

const namesKept = 200;

/**
 * From episodes to hosts (design 5.2), the same answer for the same input: targets are sorted by
 * agent id. Never an empty list: no target, two targets for one alert, an incomplete inventory or
 * too many hosts is `held` with its reason (invariant 6).
 */
export function selectTargets(of: {
  readonly targets: FrozenTargets;
  readonly episodes: readonly Episode[];
  readonly agents: readonly InventoryAgent[];
  readonly select: SelectAgents;
  readonly targetsMax: number;
}): Plan {
  const found = chosenBy(of);
  if (found.kind === 'held') return found;
  if (found.targets.length === 0) {
    return held(
      'no_target',
      `0 of ${of.agents.length} enrolled agents match ${(of.targets.select ?? []).join(' and ')}, at least 1 must; enrol a host with these labels, or correct targets.select`,
    );
  }
  if (found.targets.length > of.targetsMax) {
    return held(
      'too_many_targets',
      `${found.targets.length} hosts, ${of.targetsMax} may be; split the policy by fault domain`,
    );
  }
  return found;
}

function chosenBy(of: Parameters<typeof selectTargets>[0]): Plan {
  const { from, select, agents } = of.targets;
  if (from !== null) return narrowed(byAlertLabel(from, of), agents);
  if (select === null && agents !== undefined) return byName(agents, of.agents);
  return narrowed(bySelection(of), agents);
}

/** Named hosts, by id or name. One that is not enrolled is refused, whatever the others are. */
function byName(names: readonly string[], agents: readonly InventoryAgent[]): Plan {
  const known = new Map(agents.flatMap((agent) => idAndName(agent).map((name) => [name, agent])));
  const missing = names.filter((name) => !known.has(name));
  if (missing.length > 0) {
    return held(
      'no_target',
      `no agent has the id or name ${missing.slice(0, 5).join(', ')}: ${missing.length} of ${names.length} hosts that were named are not enrolled, 0 may; enrol them, or name others`,
    );
  }
  const chosen = new Set(names.flatMap((name) => known.get(name) ?? []));
  return planned(
    [...chosen].map((agent) => ({ agent, episodes: undefined })),
    [],
  );
}

const idAndName = ({ agentId, labels }: InventoryAgent): readonly string[] => {
  const name = labels.get('name');
  return name === undefined ? [agentId] : [agentId, name];
};

/** Of a plan these agents alone, by their ids. */
function narrowed(plan: Plan, agents: readonly string[] | undefined): Plan {
  if (plan.kind === 'held' || agents === undefined) return plan;
  const meant = new Set(agents);
  return { ...plan, targets: plan.targets.filter(({ agentId }) => meant.has(agentId)) };
}

const held = (reason: HeldReason, detail: string): Plan => ({ kind: 'held', reason, detail });

function bySelection(of: {
  readonly targets: FrozenTargets;
  readonly agents: readonly InventoryAgent[];
  readonly select: SelectAgents;
}): Plan {
  const select = of.targets.select ?? [];
  // Empty never means all (invariant 6), also not by a policy that slipped through its schema.
  if (select.length === 0)
    return held(
      'no_target',
      'targets.select has 0 matchers, at least 1 must be: none never means all; write one, or targets.from',
    );
  const chosen = of.agents.filter((agent) => of.select(select, agent.labels));
  return planned(
    chosen.map((agent) => ({ agent, episodes: undefined })),
    [],
  );
}

function byAlertLabel(
  from: NonNullable<FrozenTargets['from']>,
  of: {
    readonly targets: FrozenTargets;
    readonly episodes: readonly Episode[];
    readonly agents: readonly InventoryAgent[];
  },
): Plan {
  const index = indexAgents(of.agents, from.by);
  const chosen = new Map<string, { agent: InventoryAgent; episodes: number[] }>();
  const missing: string[] = [];
  for (const [position, episode] of of.episodes.entries()) {
    const labels = new Map(episode.labels);
    const value = hostValue(labels.get(from.label), from.strip);
    if (value === null) {
      return held(
        'missing_label',
        `alert ${episode.name} has no usable label "${from.label}", 1 must name its host; send it, or let targets.from name a label that it has`,
      );
    }
    const found = agentsAt(index, { value, by: from.by, cloud: labels.get('cloud_id') ?? '0' });
    if (found.length > 1) {
      return held(
        'ambiguous_target',
        `${from.by} ${value} is ${found.length} agents (${namesOf(found)}), 1 may be; let targets.from.by name a label that only one has, or give their hosts different ones`,
      );
    }
    const [agent] = found;
    if (agent === undefined) {
      missing.push(value);
      continue;
    }
    const entry = chosen.get(agent.agentId) ?? { agent, episodes: [] };
    entry.episodes.push(position);
    chosen.set(agent.agentId, entry);
  }
  if (missing.length > 0 && (of.targets.onMissing === 'refuse' || chosen.size === 0)) {
    return held(
      'no_target',
      `no agent has ${from.by} ${missing.slice(0, 5).join(', ')}: ${missing.length} of ${of.episodes.length} alerts name a host that is not enrolled, 0 may; enrol it, correct targets.from, or write onMissing: skip where others are found`,
    );
  }
  return planned([...chosen.values()], missing);
}

function planned(
  chosen: readonly { agent: InventoryAgent; episodes: readonly number[] | undefined }[],
  skipped: readonly string[],
): Plan {
  const withNames = chosen.length <= namesKept;
  const targets = chosen
    .map(({ agent, episodes }): PlannedTarget => {
      const name = agent.labels.get('name');
      return {
        agentId: agent.agentId,
        journalId: agent.journalId,
        ...(episodes === undefined ? {} : { episodes }),
        ...(withNames && name !== undefined ? { name } : {}),
      };
    })
    .sort((left, right) => (left.agentId < right.agentId ? -1 : 1));
  return { kind: 'planned', targets, resolved: [], skipped: skipped.slice(0, 100) };
}

const namesOf = (agents: readonly InventoryAgent[]): string =>
  agents
    .slice(0, 3)
    .map(({ agentId, labels }) => labels.get('name') ?? agentId)
    .join(', ');

/** Agents by the value of one of their labels, or by their ids. */
export type AgentIndex = ReadonlyMap<string, readonly InventoryAgent[]>;

export function indexAgents(agents: readonly InventoryAgent[], by: string): AgentIndex {
  const index = new Map<string, InventoryAgent[]>();
  for (const agent of agents) {
    const value = agentValue(agent, by);
    if (value === undefined) continue;
    const same = index.get(value);
    if (same === undefined) index.set(value, [agent]);
    else same.push(agent);
  }
  return index;
}

function agentValue(agent: InventoryAgent, by: string): string | undefined {
  if (by === 'agentId') return agent.agentId;
  return agent.labels.get(by.startsWith('label:') ? by.slice('label:'.length) : by);
}

/** An address alone is not unique: it belongs to a cloud area, 0 where none is said (design 5.2). */
export function agentsAt(
  index: AgentIndex,
  at: { readonly value: string; readonly by: string; readonly cloud: string },
): readonly InventoryAgent[] {
  const found = index.get(at.value) ?? [];
  if (at.by !== 'ip') return found;
  return found.filter((agent) => (agent.labels.get('cloud_id') ?? '0') === at.cloud);
}

/** The host in a label's value: `web1:9100`, `[fe80::1]:9100`, or as it is. Null if there is none. */
export function hostValue(value: string | undefined, strip: 'port' | 'none'): string | null {
  if (value === undefined || value === '') return null;
  if (strip === 'none') return value;
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(value);
  if (bracketed) return bracketed[1] ?? null;
  const colons = value.split(':').length - 1;
  // A bare IPv6 address has colons of its own and no port to strip.
  if (colons > 1) return value;
  return value.replace(/:\d{1,5}$/, '') || null;
}

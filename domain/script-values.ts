import type { LabelPair } from '../contracts/alert.ts';
import type { FrozenScript } from '../contracts/frozen.ts';
import type { ScriptAction, TaskTarget } from '../contracts/task.ts';
import type { Episode, PlannedTarget } from '../contracts/temporal.ts';
import { namesIn, placeholders, type ValueName, type ValueSource } from './value-names.ts';

/** A target's own values, or why the script cannot be filled in for it. */
export type FilledTargets =
  | { readonly kind: 'filled'; readonly targets: readonly TaskTarget[] }
  | {
      readonly kind: 'refused';
      readonly reason: 'missing_label' | 'ambiguous_label';
      readonly detail: string;
    };

/**
 * Fills `${labels.x}`, `${annotations.x}` and `${host.x}` in arguments and environment with the values of
 * the alert or of the host, as data: a value lands in one argument or variable whatever it holds, and never in the script's text. A
 * host whose alerts disagree on a value is a refusal, because choosing one could repair the wrong
 * thing.
 */
export function fillTargets(of: {
  readonly script: FrozenScript;
  readonly targets: readonly PlannedTarget[];
  readonly episodes: readonly Episode[];
}): FilledTargets {
  const { action } = of.script;
  const names = namesIn(action);
  const targets: TaskTarget[] = [];
  for (const target of of.targets) {
    const episodes = episodesOf(target, of.episodes);
    const values = valuesFor(names, target, episodes);
    if (values.kind === 'refused') return values;
    targets.push({
      agentId: target.agentId,
      journalId: target.journalId,
      ...(names.length === 0 ? {} : filled(action, values.values)),
      ...(of.script.alertsOnStdin
        ? { stdin: { kind: 'text' as const, text: alertsAsJson(episodes) } }
        : {}),
    });
  }
  return { kind: 'filled', targets };
}

/** Values of these alert labels for one host, by their names, or why there are none. */
export function labelsOfTarget(of: {
  readonly names: readonly string[];
  readonly target: PlannedTarget;
  readonly episodes: readonly Episode[];
}): FoundValues {
  const names = of.names.map((name): ValueName => ({ source: 'labels', name }));
  const found = valuesFor(names, of.target, episodesOf(of.target, of.episodes));
  if (found.kind === 'refused') return found;
  const values = of.names.flatMap((name): [string, string][] => {
    const value = found.values.get(`labels.${name}`);
    return value === undefined ? [] : [[name, value]];
  });
  return { kind: 'values', values: new Map(values) };
}

const episodesOf = (target: PlannedTarget, episodes: readonly Episode[]): readonly Episode[] =>
  target.episodes === undefined
    ? episodes
    : target.episodes.flatMap((position) => episodes[position] ?? []);

type FoundValues =
  | { readonly kind: 'values'; readonly values: ReadonlyMap<string, string> }
  | Extract<FilledTargets, { kind: 'refused' }>;

/** The values of one host by `source.name`. */
function valuesFor(
  names: readonly ValueName[],
  target: PlannedTarget,
  episodes: readonly Episode[],
): FoundValues {
  const values = new Map<string, string>();
  for (const { source, name } of names) {
    const found = new Set(
      source === 'host' ? [hostValueOf(target, name)] : episodes.map(valueIn[source](name)),
    );
    const [value] = found;
    if (found.size > 1) {
      const remedy = `group by that ${words[source]} (group.by), or do not use it in the script`;
      const detail = `the host’s alerts have ${found.size} values of ${words[source]} "${name}", 1 may be; ${remedy}`;
      return { kind: 'refused', reason: 'ambiguous_label', detail };
    }
    if (value === undefined) return missing(source, name, target);
    values.set(`${source}.${name}`, value);
  }
  return { kind: 'values', values };
}

const words = { labels: 'label', annotations: 'annotation', host: 'label' } as const;

function missing(source: ValueSource, name: string, target: PlannedTarget): FoundValues {
  const detail =
    source === 'host'
      ? `host ${target.name ?? target.agentId} has no label "${name}", 1 must be; enrol it with one, or do not use it in the script`
      : `no alert has ${words[source]} "${name}", 1 must; send it, or do not use it in the script`;
  return { kind: 'refused', reason: 'missing_label', detail };
}

/** Own values only: a label may be called `constructor`. */
const hostValueOf = ({ host = {} }: PlannedTarget, name: string): string | undefined =>
  Object.hasOwn(host, name) ? host[name] : undefined;

const valueIn = {
  labels:
    (name: string) =>
    ({ labels }: Episode) =>
      pairValueOf(labels, name),
  annotations:
    (name: string) =>
    ({ annotations = [] }: Episode) =>
      pairValueOf(annotations, name),
} as const;

const pairValueOf = (pairs: readonly LabelPair[], name: string): string | undefined =>
  pairs.find(([found]) => found === name)?.[1];

function filled(
  action: ScriptAction,
  values: ReadonlyMap<string, string>,
): Pick<Required<TaskTarget>, 'args' | 'env'> {
  // A function, because a value may hold `$&`, which a replacement text would interpret.
  const fill = (text: string) =>
    text.replaceAll(
      placeholders(),
      (whole, source: string, name: string) => values.get(`${source}.${name}`) ?? whole,
    );
  return {
    args: action.args.map(fill),
    env: Object.fromEntries(Object.entries(action.env).map(([name, text]) => [name, fill(text)])),
  };
}

/** What a script with `stdin: alerts` reads: an array; labels as pairs, because any name is legal. */
function alertsAsJson(episodes: readonly Episode[]): string {
  return `${JSON.stringify(
    episodes.map(({ id, name, severity, labels, startsAt }) => ({
      episode: id,
      name,
      severity,
      startsAt,
      labels,
    })),
  )}\n`;
}

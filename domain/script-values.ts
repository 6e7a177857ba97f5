import type { LabelPair } from '../contracts/alert.ts';
import type { FrozenScript } from '../contracts/frozen.ts';
import type { ScriptAction, TaskTarget } from '../contracts/task.ts';
import type { Episode, PlannedTarget } from '../contracts/temporal.ts';

/** A target's own values, or why the script cannot be filled in for it. */
export type FilledTargets =
  | { readonly kind: 'filled'; readonly targets: readonly TaskTarget[] }
  | {
      readonly kind: 'refused';
      readonly reason: 'missing_label' | 'ambiguous_label';
      readonly detail: string;
    };

const placeholder = /\$\{labels\.([^}]+)\}/g;

/**
 * Fills `${labels.x}` in arguments and environment with the alert's value, per host, as data: the
 * value lands in one argument or variable whatever it holds, and never in the script's text. A
 * host whose alerts disagree on a value is a refusal, because choosing one could repair the wrong
 * thing.
 */
export function fillTargets(of: {
  readonly script: FrozenScript;
  readonly targets: readonly PlannedTarget[];
  readonly episodes: readonly Episode[];
}): FilledTargets {
  const { action } = of.script;
  const names = labelNamesIn(action);
  const targets: TaskTarget[] = [];
  for (const target of of.targets) {
    const episodes = episodesOf(target, of.episodes);
    const values = labelValues(names, episodes);
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

const episodesOf = (target: PlannedTarget, episodes: readonly Episode[]): readonly Episode[] =>
  target.episodes === undefined
    ? episodes
    : target.episodes.flatMap((position) => episodes[position] ?? []);

function labelNamesIn(action: ScriptAction): readonly string[] {
  const texts = [...action.args, ...Object.values(action.env)];
  const names = texts.flatMap((text) =>
    [...text.matchAll(placeholder)].flatMap((match) => match[1] ?? []),
  );
  return [...new Set(names)];
}

type LabelValues =
  | { readonly kind: 'values'; readonly values: ReadonlyMap<string, string> }
  | Extract<FilledTargets, { kind: 'refused' }>;

function labelValues(names: readonly string[], episodes: readonly Episode[]): LabelValues {
  const values = new Map<string, string>();
  for (const name of names) {
    const found = new Set(episodes.map((episode) => labelValueOf(episode.labels, name)));
    if (found.size > 1) {
      const detail = `the host’s alerts have ${found.size} values of label "${name}", 1 may be; group by that label (group.by), or do not use it in the script`;
      return { kind: 'refused', reason: 'ambiguous_label', detail };
    }
    const [value] = found;
    if (value === undefined) {
      const detail = `no alert has label "${name}", 1 must; send it, or do not use it in the script`;
      return { kind: 'refused', reason: 'missing_label', detail };
    }
    values.set(name, value);
  }
  return { kind: 'values', values };
}

const labelValueOf = (labels: readonly LabelPair[], name: string): string | undefined =>
  labels.find(([found]) => found === name)?.[1];

function filled(
  action: ScriptAction,
  values: ReadonlyMap<string, string>,
): Pick<Required<TaskTarget>, 'args' | 'env'> {
  // A function, because a value may hold `$&`, which a replacement text would interpret.
  const fill = (text: string) =>
    text.replaceAll(placeholder, (whole, name: string) => values.get(name) ?? whole);
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

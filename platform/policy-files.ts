import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { approvalSpec } from '../contracts/approval.ts';
import type {
  FrozenApproval,
  FrozenGuards,
  FrozenPolicy,
  FrozenRunbook,
} from '../contracts/frozen.ts';
import { type Clocks, limits } from '../contracts/limits.ts';
import { notSupported, type PolicySpec, policySpec } from '../contracts/policy.ts';
import { runbookSpec } from '../contracts/runbook.ts';
import type { MailboxSettings } from '../contracts/temporal.ts';
import type { PolicyRule } from '../domain/policy-match.ts';
import { saysResolved } from '../domain/resolving-sources.ts';
import type { SuppressionRule } from '../domain/suppression.ts';
import { digestOf, freezeRunbook } from './frozen-runbook.ts';
import { breakerOf, dampingOf, suppressionRule } from './policy-guards.ts';
import { parseMatchers } from './policy-matchers.ts';
import { checkDocument, flawAt, suggestion } from './schema-flaws.ts';
import { type FileFlaw, parseYaml, type YamlDocument } from './yaml-document.ts';

/** A policy as the programs use it; with what a repair freezes (design 5.3). */
export type LoadedPolicy = PolicyRule &
  SuppressionRule & {
    readonly name: string;
    readonly spec: PolicySpec;
    readonly frozen: FrozenPolicy;
    readonly settings: MailboxSettings;
  };
/** All policies in file order, and the runbooks by name. */
export type PolicySet = {
  readonly policies: readonly LoadedPolicy[];
  readonly runbooks: ReadonlyMap<string, FrozenRunbook>;
};
/** Where each policy and runbook stands, by name. */
type Documents = Readonly<Record<'policy' | 'runbook', ReadonlyMap<string, YamlDocument>>>;
export type PolicyFiles =
  | { readonly kind: 'loaded'; readonly set: PolicySet; readonly documents: Documents }
  | { readonly kind: 'flawed'; readonly flaws: readonly FileFlaw[] };

const fileBytesMax = 1024 * 1024;
type Placed<T> = { readonly value: T; readonly document: YamlDocument };

/**
 * Reads every policy and runbook. All or nothing: with any flaw nothing is loaded, and all flaws
 * are told at once. Never rejects for what stands in the files.
 */
export async function loadPolicyFiles(of: {
  readonly policyDir: string;
  readonly runbookDir: string;
  readonly clocks: Clocks;
  /** False: answers that are given in Temporal do not count. */
  readonly approvalsFromTemporal?: boolean;
}): Promise<PolicyFiles> {
  const flaws: FileFlaw[] = [];
  const runbooks = await loadRunbooks(of.runbookDir, flaws);
  const policies = await loadPolicies(of, flaws);
  for (const { value, document } of policies) {
    flaws.push(...unprovable(value, document, runbooks.loaded));
    flaws.push(...unasked(value, document, runbooks.loaded));
    if (runbooks.known.includes(value.spec.runbook)) continue;
    const near = suggestion(value.spec.runbook, runbooks.known);
    flaws.push(flawAt(document, ['runbook'], `no runbook "${value.spec.runbook}"${near}`));
  }
  if (flaws.length > 0) return { kind: 'flawed', flaws: flaws.sort(byPlace) };
  return {
    kind: 'loaded',
    set: {
      policies: countedTogether(policies.map(({ value }) => value)),
      runbooks: new Map(runbooks.loaded.map(({ value }) => [value.name, value])),
    },
    documents: { policy: documentsByName(policies), runbook: documentsByName(runbooks.loaded) },
  };
}

/** A repair that would wait for a resolved which its source never sends (rule X13). */
function unprovable(
  { source, spec }: LoadedPolicy,
  document: YamlDocument,
  runbooks: readonly Placed<FrozenRunbook>[],
): readonly FileFlaw[] {
  const runbook = runbooks.find(({ value }) => value.name === spec.runbook)?.value;
  if (runbook === undefined || runbook.verify.probe !== null || saysResolved(source)) return [];
  const message = `"${spec.runbook}" has no verify.probe, and ${source} never says that an alert is over; give it one`;
  return [flawAt(document, ['runbook'], message)];
}

/** A repair that is hard to make good and that nobody would be asked about. */
function unasked(
  { spec }: LoadedPolicy,
  document: YamlDocument,
  runbooks: readonly Placed<FrozenRunbook>[],
): readonly FileFlaw[] {
  const runbook = runbooks.find(({ value }) => value.name === spec.runbook)?.value;
  if (spec.autonomy !== 'auto' || runbook?.destructive !== true) return [];
  const message = `"auto" may not run "${spec.runbook}", which is destructive; write approve or observe`;
  return [flawAt(document, ['autonomy'], message)];
}

/** Each policy learns by which labels the others divide the fleet: it counts in their domains too. */
function countedTogether(policies: readonly LoadedPolicy[]): readonly LoadedPolicy[] {
  const lists = domainListsOf(policies);
  return policies.map((policy) => {
    const guards = countedWith(guardsOf(policy.spec), lists);
    return { ...policy, frozen: { ...policy.frozen, guards } };
  });
}

/** Settings that policies are frozen with. */
type FrozenWith = { readonly clocks: Clocks; readonly approvalsFromTemporal?: boolean };

function approvalOf({ approval }: PolicySpec, of: FrozenWith): FrozenApproval {
  const { approvers, expires, notBy } = approval ?? approvalSpec.parse({});
  return {
    approvers,
    expiresMs: expires,
    ...(notBy.length === 0 ? {} : { notBy }),
    ...(of.approvalsFromTemporal === false ? { fromTemporal: false } : {}),
  };
}

/** The labels by which policies, and runs by hand, divide the fleet; each list once. */
export function domainListsOf(policies: readonly LoadedPolicy[]): readonly (readonly string[])[] {
  const lists = [manualDomainBy, ...policies.map(({ spec }) => spec.targets.domainBy)];
  return [...new Map(lists.map((list) => [JSON.stringify(list), list])).values()];
}

/** Labels that make fault domains for a run by hand, where it does not say. */
export const manualDomainBy: readonly string[] = ['zone'];

/** The guards of one who counts in the domains of all these lists too. */
export function countedWith(
  guards: FrozenGuards,
  lists: readonly (readonly string[])[],
): FrozenGuards {
  const own = JSON.stringify(guards.domainBy);
  const countedBy = lists.filter((list) => JSON.stringify(list) !== own);
  return countedBy.length === 0 ? guards : { ...guards, countedBy };
}

function guardsOf({ targets, guards }: PolicySpec): FrozenGuards {
  const { blastRadius, floor, maxTargets } = guards;
  return {
    domainBy: targets.domainBy,
    ...(blastRadius === undefined ? {} : { blastRadius }),
    ...(floor === undefined ? {} : { floor }),
    ...(maxTargets === undefined ? {} : { maxTargets }),
  };
}

/** One line per flaw, `file:line:column: message`, for logs and terminals. */
export const flawLine = (flaw: FileFlaw): string =>
  `${flaw.file}:${flaw.line}:${flaw.column}: ${flaw.path === '' ? '' : `${flaw.path}: `}${flaw.message}`;

const byPlace = (left: FileFlaw, right: FileFlaw): number =>
  left.file < right.file ? -1 : left.file > right.file ? 1 : left.line - right.line;

async function loadRunbooks(
  directory: string,
  flaws: FileFlaw[],
): Promise<{ known: string[]; loaded: Placed<FrozenRunbook>[] }> {
  const loaded: Placed<FrozenRunbook>[] = [];
  // Names of flawed runbooks too, so that one flaw is told once and not again by each policy.
  const known: string[] = [];
  for (const document of await documentsOf(directory, 'Runbook', flaws)) {
    known.push(nameIn(document));
    const checked = checkDocument(document, runbookSpec, notSupported.Runbook);
    const frozen =
      checked.kind === 'checked' ? await freezeRunbook(checked.data, document) : checked;
    if (frozen.kind === 'flawed') flaws.push(...frozen.flaws);
    else loaded.push({ value: frozen.value, document });
  }
  flaws.push(...repeatedNames('runbook', loaded));
  return { known, loaded };
}

async function loadPolicies(
  of: { readonly policyDir: string } & FrozenWith,
  flaws: FileFlaw[],
): Promise<Placed<LoadedPolicy>[]> {
  const loaded: Placed<LoadedPolicy>[] = [];
  for (const document of await documentsOf(of.policyDir, 'Policy', flaws)) {
    const checked = checkDocument(document, policySpec, notSupported.Policy);
    if (checked.kind === 'flawed') flaws.push(...checked.flaws);
    else loaded.push({ value: loadPolicy(checked.data, { ...of, document, flaws }), document });
  }
  flaws.push(...repeatedNames('policy', loaded));
  return loaded;
}

function loadPolicy(
  spec: PolicySpec,
  of: FrozenWith & { readonly document: YamlDocument; readonly flaws: FileFlaw[] },
): LoadedPolicy {
  const matchers = parseMatchers(spec.match.matchers, ['match', 'matchers'], of);
  parseMatchers(spec.targets.select ?? [], ['targets', 'select'], of);
  const { from, select, onMissing } = spec.targets;
  const breaker = breakerOf(spec.guards);
  return {
    name: spec.name,
    spec,
    source: spec.match.source,
    matchers,
    continues: spec.continue,
    ...suppressionRule(spec.guards, of),
    frozen: {
      name: spec.name,
      digest: digestOf(spec),
      targets: { from: from ?? null, select: select ?? null, onMissing },
      onResolved: spec.onResolved,
      autonomy: spec.autonomy,
      ...(spec.autonomy === 'approve' ? { approval: approvalOf(spec, of) } : {}),
      ...watchdogOf(spec),
      ...(spec.escalation === undefined ? {} : { escalation: spec.escalation }),
      ...(breaker === undefined ? {} : { breaker }),
    },
    settings: {
      waitMs: spec.group.wait,
      groupMax: spec.group.max,
      cooldownMs: spec.guards.cooldown,
      maxRuns: { count: spec.guards.maxRuns.count, windowMs: spec.guards.maxRuns.window },
      lingerMinMs: of.clocks.lingerMinMs,
      signalsMax: limits.mailboxSignalsMax,
      damping: dampingOf(spec.guards),
    },
  };
}

function watchdogOf({ match, verify }: PolicySpec): Pick<FrozenPolicy, 'watchdog'> {
  if (verify === undefined) return {};
  const { alertname, within } = verify.source.watchdog;
  return { watchdog: { source: match.source, alertname, withinMs: within } };
}

/** Documents of one kind from the files of a folder, in order of name and then of position. */
async function documentsOf(
  directory: string,
  kind: 'Policy' | 'Runbook',
  flaws: FileFlaw[],
): Promise<YamlDocument[]> {
  const nowhere = (file: string, message: string) =>
    flaws.push({ file, line: 1, column: 1, path: '', message });
  const names = await readdir(directory).catch(() => null);
  if (names === null) {
    nowhere(directory, 'the folder cannot be read');
    return [];
  }
  const documents: YamlDocument[] = [];
  for (const name of names.filter((found) => /\.ya?ml$/.test(found)).sort()) {
    const file = join(directory, name);
    if ((await stat(file)).size > fileBytesMax) {
      nowhere(file, `has more than ${fileBytesMax} bytes`);
      continue;
    }
    const parsed = parseYaml(file, await readFile(file, 'utf8'));
    flaws.push(...parsed.flaws);
    for (const document of parsed.documents) {
      const found = textAt(document, 'kind');
      if (found === kind) documents.push(document);
      else flaws.push(flawAt(document, ['kind'], `must say kind: ${kind}`));
    }
  }
  return documents;
}

function repeatedNames(
  what: string,
  loaded: readonly Placed<{ readonly name: string }>[],
): FileFlaw[] {
  return loaded.flatMap(({ value, document }, at) => {
    const first = loaded.find((other) => other.value.name === value.name);
    if (first === undefined || first === loaded[at]) return [];
    const place = first.document.placeOfKey(['name']);
    const message = `a ${what} "${value.name}" is already in ${place.file}:${place.line}`;
    return [flawAt(document, ['name'], message)];
  });
}

const documentsByName = (
  placed: readonly Placed<{ readonly name: string }>[],
): ReadonlyMap<string, YamlDocument> =>
  new Map(placed.map(({ value, document }) => [value.name, document]));

const nameIn = (document: YamlDocument): string => textAt(document, 'name') ?? '';

function textAt(document: YamlDocument, key: string): string | null {
  const { data } = document;
  if (data === null || typeof data !== 'object') return null;
  const found: unknown = Object.entries(data).find(([name]) => name === key)?.[1];
  return typeof found === 'string' ? found : null;
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clocks, defaultClocks } from '../../contracts/limits.ts';
import { loadPolicyFiles, type PolicyFiles, type PolicySet } from '../../platform/policy-files.ts';

/** Loads policies and runbooks from texts, each a file. */
export async function loadTexts(of: {
  readonly policies: Readonly<Record<string, string>>;
  readonly runbooks: Readonly<Record<string, string>>;
  readonly clocks?: Clocks;
}): Promise<PolicyFiles> {
  const [policyDir, runbookDir] = await Promise.all([folderOf(of.policies), folderOf(of.runbooks)]);
  try {
    return await loadPolicyFiles({ policyDir, runbookDir, clocks: of.clocks ?? defaultClocks });
  } finally {
    await rm(policyDir, { recursive: true });
    await rm(runbookDir, { recursive: true });
  }
}

/** The same, where a flaw is the test's own mistake. */
export const policySet = (...policies: readonly string[]): Promise<PolicySet> =>
  policySetWith(defaultClocks, ...policies);

/** And with clocks of the test's own. */
export async function policySetWith(
  clocks: Clocks,
  ...policies: readonly string[]
): Promise<PolicySet> {
  const files = await loadTexts({
    clocks,
    policies: { 'p.yaml': policies.join('\n---\n') },
    runbooks: { 'r.yaml': aRunbookText() },
  });
  if (files.kind === 'loaded') return files.set;
  throw new Error(JSON.stringify(files.flaws));
}

/** `lines` are further keys; `group.by` is `[service]` unless they say otherwise. */
export const aPolicyText = (name: string, ...lines: readonly string[]): string =>
  [
    'apiVersion: fixpoint/v1',
    'kind: Policy',
    `name: ${name}`,
    ...(has(lines, 'match') ? [] : ['match: { source: alertmanager, matchers: [service="web"] }']),
    ...(has(lines, 'group') ? [] : ['group: { by: [service], wait: 0s }']),
    ...(has(lines, 'targets') ? [] : ['targets: { from: { label: instance, by: hostname } }']),
    ...(has(lines, 'autonomy') ? [] : ['autonomy: auto']),
    ...(has(lines, 'runbook') ? [] : ['runbook: restart-web']),
    ...lines,
  ].join('\n');

export const aRunbookText = (name = 'restart-web'): string =>
  [
    'apiVersion: fixpoint/v1',
    'kind: Runbook',
    `name: ${name}`,
    'steps:',
    '  - name: restart',
    '    script: { inline: "exit 0" }',
  ].join('\n');

const has = (lines: readonly string[], key: string): boolean =>
  lines.some((line) => line.startsWith(`${key}:`));

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fixpoint-policies-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

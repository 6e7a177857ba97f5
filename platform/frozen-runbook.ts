import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import type { FrozenProbe, FrozenRunbook, FrozenScript, FrozenStep } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import type { RunbookSpec, ScriptSpec } from '../contracts/runbook.ts';
import type { ScriptAction } from '../contracts/task.ts';
import { parseBatchExpression } from '../domain/batch-expression.ts';
import { probeUrlFlaw } from '../domain/probe-url.ts';
import { canonicalJson } from './canonical-json.ts';
import { contentDigestOf, sha256Hex } from './digest.ts';
import { flawAt } from './schema-flaws.ts';
import type { FileFlaw, YamlDocument, YamlPath } from './yaml-document.ts';

type Frozen<T> =
  | { readonly kind: 'frozen'; readonly value: T }
  | { readonly kind: 'flawed'; readonly flaws: readonly FileFlaw[] };

/**
 * A runbook with its scripts by value: what a repair carries, so that a later change of a file
 * changes no running one. Script files lie beside the runbook or below, links included.
 */
export async function freezeRunbook(
  spec: RunbookSpec,
  document: YamlDocument,
): Promise<Frozen<FrozenRunbook>> {
  const flaws: FileFlaw[] = [];
  const freeze = async (script: ScriptSpec, path: YamlPath): Promise<FrozenScript> => {
    const frozen = await freezeScript(script, document, path);
    if (frozen.kind === 'frozen') return frozen.value;
    flaws.push(...frozen.flaws);
    return emptyScript;
  };
  const steps: FrozenRunbook['steps'][number][] = [];
  for (const [at, step] of spec.steps.entries()) {
    steps.push({
      name: step.name,
      script: await freeze(step.script, ['steps', at, 'script']),
      timeoutMs: step.timeout,
      contract: step.contract,
      ...(step.probe === undefined
        ? {}
        : {
            probe: {
              script: await freeze(step.probe.script, ['steps', at, 'probe', 'script']),
              timeoutMs: step.probe.timeout,
            },
          }),
      ...(step.expectReboot ? { expectReboot: true as const } : {}),
      ...(await freezeUndo(step, ['steps', at, 'rollback', 'script'], freeze)),
      retry: {
        attempts: step.retry.attempts,
        backoffMs: step.retry.backoff,
        on: step.retry.on,
      },
      rollout: frozenRollout(step.rollout),
    });
  }
  const verify = {
    probe: await freezeProof(spec, freeze),
    withinMs: spec.verify.within,
    ...(spec.verify.soak > 0 ? { soakMs: spec.verify.soak } : {}),
  };
  flaws.push(...urlFlaws(spec, document));
  flaws.push(...repeatedSteps(spec, document), ...expressionFlaws(spec, document));
  flaws.push(...tooMuchText(steps, document));
  if (flaws.length > 0) return { kind: 'flawed', flaws };
  const destructive = spec.destructive ? { destructive: true as const } : {};
  const runbook = { name: spec.name, ...destructive, steps, verify };
  return { kind: 'frozen', value: { ...runbook, digest: digestOf(runbook) } };
}

type Freeze = (script: ScriptSpec, path: YamlPath) => Promise<FrozenScript>;

async function freezeUndo(
  { rollback }: RunbookSpec['steps'][number],
  path: YamlPath,
  freeze: Freeze,
): Promise<Pick<FrozenStep, 'rollback'>> {
  if (rollback === undefined) return {};
  const { timeout, contract, retry } = rollback;
  return {
    rollback: {
      script: await freeze(rollback.script, path),
      timeoutMs: timeout,
      contract,
      retry: { attempts: retry.attempts, backoffMs: retry.backoff, on: retry.on },
    },
  };
}

async function freezeProof(
  { verify: { probe } }: RunbookSpec,
  freeze: Freeze,
): Promise<FrozenProbe | null> {
  if (probe?.script !== undefined) {
    const script = await freeze(probe.script, ['verify', 'probe', 'script']);
    return { script, timeoutMs: probe.timeout };
  }
  if (probe?.http === undefined) return null;
  const { url, status, contains } = probe.http;
  const http = { url, status, ...(contains === undefined ? {} : { contains }) };
  return { http, timeoutMs: probe.timeout };
}

/** What of the url of a probe cannot be filled in later. */
function urlFlaws({ verify }: RunbookSpec, document: YamlDocument): FileFlaw[] {
  const flaw = verify.probe?.http === undefined ? null : probeUrlFlaw(verify.probe.http.url);
  return flaw === null ? [] : [flawAt(document, ['verify', 'probe', 'http', 'url'], flaw)];
}

function frozenRollout(rollout: RunbookSpec['steps'][number]['rollout']): FrozenStep['rollout'] {
  return {
    expression: String(rollout.batches),
    maxFailures: rollout.maxFailures,
    mode: rollout.mode,
    pauseBetweenMs: rollout.pauseBetween,
    soakMs: rollout.soak,
  };
}

/** Batch expressions that cannot be read, each with its first wrong part and the fix. */
function expressionFlaws(spec: RunbookSpec, document: YamlDocument): FileFlaw[] {
  return spec.steps.flatMap((step, at) => {
    const parsed = parseBatchExpression(step.rollout.batches);
    if (parsed.kind === 'parts') return [];
    const path = ['steps', at, 'rollout', 'batches'];
    return [flawAt(document, path, `part ${parsed.part}, "${parsed.value}": ${parsed.fix}`)];
  });
}

/** How a policy or runbook is named in evidence: SHA-256 of its canonical JSON. */
export const digestOf = (data: unknown): string => `sha256:${sha256Hex(canonicalJson(data))}`;

const emptyAction: ScriptAction = {
  kind: 'script',
  interpreter: 'sh',
  content: '',
  args: [],
  env: {},
  secretEnv: {},
  stdin: { kind: 'none' },
  cwd: null,
};
const emptyScript: FrozenScript = { action: emptyAction, alertsOnStdin: false, digest: '' };

async function freezeScript(
  spec: ScriptSpec,
  document: YamlDocument,
  path: YamlPath,
): Promise<Frozen<FrozenScript>> {
  const flaws = templateFlaws(spec, document, path);
  const text = await scriptText(spec, document, path);
  if (text.kind === 'flawed') return { kind: 'flawed', flaws: [...flaws, ...text.flaws] };
  if (flaws.length > 0) return { kind: 'flawed', flaws };
  const env = Object.entries(spec.env);
  const action: ScriptAction = {
    kind: 'script',
    interpreter: spec.interpreter,
    content: text.value,
    args: spec.args,
    env: Object.fromEntries(
      env.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    ),
    secretEnv: Object.fromEntries(
      env.flatMap(([name, value]) => (typeof value === 'string' ? [] : [[name, value.secret]])),
    ),
    stdin:
      typeof spec.stdin === 'object'
        ? { kind: 'secret', secret: spec.stdin.secret }
        : { kind: 'none' },
    cwd: spec.cwd ?? null,
    ...(spec.runAs === undefined ? {} : { runAs: spec.runAs }),
  };
  return {
    kind: 'frozen',
    value: {
      action,
      alertsOnStdin: spec.stdin === 'alerts',
      digest: contentDigestOf(text.value),
    },
  };
}

async function scriptText(
  spec: ScriptSpec,
  document: YamlDocument,
  path: YamlPath,
): Promise<Frozen<string>> {
  if (spec.inline !== undefined) return { kind: 'frozen', value: spec.inline };
  const refuse = (message: string): Frozen<string> => ({
    kind: 'flawed',
    flaws: [flawAt(document, [...path, 'file'], message)],
  });
  const name = spec.file ?? '';
  const folder = await realpath(dirname(document.file));
  const found = await realpath(resolve(folder, name)).catch(() => null);
  if (found === null) return refuse(`"${name}" is not there; it is looked for in ${folder}`);
  const below = relative(folder, found);
  if (below.startsWith('..') || below.startsWith(sep)) {
    return refuse(`"${name}" lies outside the runbook's folder`);
  }
  const state = await lstat(found);
  if (!state.isFile()) return refuse(`"${name}" is not a file`);
  if (state.size === 0) return refuse(`"${name}" is empty`);
  if (state.size > limits.scriptBytes) {
    return refuse(`"${name}" has ${state.size} bytes, ${limits.scriptBytes} may be`);
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(found));
    return { kind: 'frozen', value: text };
  } catch {
    return refuse(`"${name}" is not UTF-8 text`);
  }
}

/** Values of alerts and hosts are filled in per host; any other `${word}` is most likely meant to be one. */
function templateFlaws(spec: ScriptSpec, document: YamlDocument, path: YamlPath): FileFlaw[] {
  const texts: [YamlPath, string][] = [
    ...spec.args.map((text, at): [YamlPath, string] => [['args', at], text]),
    ...Object.entries(spec.env).flatMap(([name, value]): [YamlPath, string][] =>
      typeof value === 'string' ? [[['env', name], value]] : [],
    ),
  ];
  return texts.flatMap(([at, text]) =>
    [...text.matchAll(/\$\{(\w[^}]*)\}?/g)].flatMap(([whole, inside = '']) =>
      /^(labels|annotations|host)\.[^}]+$/.test(inside) && whole.endsWith('}')
        ? []
        : [
            flawAt(
              document,
              [...path, ...at],
              `"${whole}" is not known; values of the alert are written \${labels.<name>} or \${annotations.<name>}, those of the host \${host.<label>}`,
            ),
          ],
    ),
  );
}

function repeatedSteps(spec: RunbookSpec, document: YamlDocument): FileFlaw[] {
  const names = spec.steps.map((step) => step.name);
  return names.flatMap((name, at) =>
    names.indexOf(name) === at
      ? []
      : [flawAt(document, ['steps', at, 'name'], `a second step is named "${name}"`)],
  );
}

function tooMuchText(steps: FrozenRunbook['steps'], document: YamlDocument): FileFlaw[] {
  const scripts = steps.flatMap(({ script, probe, rollback }) => [
    script,
    ...(probe === undefined ? [] : [probe.script]),
    ...(rollback === undefined ? [] : [rollback.script]),
  ]);
  const bytes = scripts.reduce(
    (sum, script) => sum + new TextEncoder().encode(script.action.content).length,
    0,
  );
  return bytes <= limits.runbookScriptBytes
    ? []
    : [
        flawAt(
          document,
          ['steps'],
          `the scripts have ${bytes} bytes, ${limits.runbookScriptBytes} may be`,
        ),
      ];
}

import { type Matcher, parseMatcher } from '../domain/matchers.ts';
import { type LintedPolicy, type LintRule, lintPolicies } from '../domain/policy-lint.ts';
import type { LoadedPolicy, PolicyFiles } from './policy-files.ts';
import { compileExpression } from './regular-expression.ts';
import type { FileFlaw } from './yaml-document.ts';

/** Something allowed but seldom meant, where it stands, and what to write instead. */
export type FileWarning = FileFlaw & { readonly rule: LintRule; readonly fix: string };

/** The warnings of files of a folder without a flaw, by file and line. They keep no server from its start. */
export function warningsOf(
  files: Extract<PolicyFiles, { kind: 'loaded' }>,
  policyDir: string,
): FileWarning[] {
  const { set, documents } = files;
  if (set.policies.length === 0) return [noPolicies(policyDir)];
  const runbooks = [...set.runbooks.values()].map(({ name, verify, steps }) => ({
    name,
    hasProbe: verify.probe !== null,
    batches: steps.map(({ rollout }) => rollout.expression ?? ''),
    maxFailures: steps.map(({ rollout }) => rollout.maxFailures),
  }));
  return lintPolicies(set.policies.map(lintedPolicy), runbooks)
    .flatMap(({ rule, kind, name, path, message, fix }): FileWarning[] => {
      const document = documents[kind].get(name);
      if (document === undefined) return [];
      const { data } = document;
      const isThere = data !== null && typeof data === 'object' && String(path[0]) in data;
      // A key that is not there has no place: the name of what lacks it is the next best.
      const place = document.placeOfKey(isThere ? path : ['name']);
      return [{ ...place, path: path.join('.'), rule, message, fix }];
    })
    .sort((left, right) =>
      left.file === right.file ? left.line - right.line : left.file < right.file ? -1 : 1,
    );
}

/** As a deploy leaves it that was cut short. */
const noPolicies = (policyDir: string): FileWarning => ({
  ...{ file: policyDir, line: 1, column: 1, path: 'policies' },
  rule: 'no_policies',
  message: 'there is none in this folder, so no alert is repaired',
  fix: 'add a file with `kind: Policy`, or name the folder that has them',
});

/** One line per warning, `file:line:column: warning: key: message; fix`. */
export const warningLine = ({ file, line, column, path, message, fix }: FileWarning): string =>
  `${file}:${line}:${column}: warning: ${path}: ${message}; ${fix}`;

function lintedPolicy({ name, source, matchers, continues, spec }: LoadedPolicy): LintedPolicy {
  const { from, select } = spec.targets;
  return {
    ...{ name, source, matchers, continues, runbook: spec.runbook },
    from: from === undefined ? null : [from.label, from.strip, from.by].join('\n'),
    select: select === undefined ? null : select.flatMap(matcherOf),
    cooldownMs: spec.guards.cooldown,
    blastRadius: spec.guards.blastRadius ?? null,
    hasWatchdog: spec.verify !== undefined,
  };
}

/** Files with a matcher that cannot be parsed are not loaded, so none is left out here. */
function matcherOf(text: string): Matcher[] {
  const parsed = parseMatcher(text, compileExpression);
  return parsed.kind === 'parsed' ? [parsed.matcher] : [];
}

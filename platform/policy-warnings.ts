import { type Matcher, parseMatcher } from '../domain/matchers.ts';
import { type LintedPolicy, type LintRule, lintPolicies } from '../domain/policy-lint.ts';
import type { LoadedPolicy, PolicyFiles } from './policy-files.ts';
import { compileExpression } from './regular-expression.ts';
import type { FileFlaw } from './yaml-document.ts';

/** Something allowed but seldom meant, where it stands, and what to write instead. */
export type FileWarning = FileFlaw & { readonly rule: LintRule; readonly fix: string };

/** The warnings of files without a flaw, by file and line. They keep no server from its start. */
export function warningsOf(files: Extract<PolicyFiles, { kind: 'loaded' }>): FileWarning[] {
  const { set, documents } = files;
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

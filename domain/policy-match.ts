import type { LabelPair } from '../contracts/alert.ts';
import { failingMatcher, type Matcher } from './matchers.ts';

/** What decides whether a policy takes an alert. */
export type PolicyRule = {
  readonly source: string;
  readonly matchers: readonly Matcher[];
  /** Whether later policies may take a copy of what this one took (rule X8). */
  readonly continues: boolean;
};

export type MatchedAlert = { readonly source: string; readonly labels: readonly LabelPair[] };

/** Why one policy did or did not take an alert. */
export type Verdict<P> =
  | { readonly kind: 'taken'; readonly policy: P }
  | { readonly kind: 'source'; readonly policy: P }
  | { readonly kind: 'matcher'; readonly policy: P; readonly matcher: string }
  /** A policy before it took the alert and does not continue. */
  | { readonly kind: 'not_asked'; readonly policy: P };

/** Asks the policies in their order: the first match wins, `continue` lets later ones take a copy. */
export function verdictsOf<P extends PolicyRule>(
  alert: MatchedAlert,
  policies: readonly P[],
): Verdict<P>[] {
  const labels = new Map(alert.labels);
  let isOver = false;
  return policies.map((policy) => {
    if (isOver) return { kind: 'not_asked', policy };
    const verdict = verdictOf(alert.source, labels, policy);
    isOver = verdict.kind === 'taken' && !policy.continues;
    return verdict;
  });
}

/** The policies that take an alert, in their order; none is the fate `unmatched`. */
export const policiesFor = <P extends PolicyRule>(
  alert: MatchedAlert,
  policies: readonly P[],
): P[] =>
  verdictsOf(alert, policies).flatMap((verdict) =>
    verdict.kind === 'taken' ? [verdict.policy] : [],
  );

/** The group of an alert: the policy's labels with their values, sorted; a missing label is empty. */
export function groupOf(by: readonly string[], labels: readonly LabelPair[]): LabelPair[] {
  const values = new Map(labels);
  return [...new Set(by)].sort().map((name) => [name, values.get(name) ?? '']);
}

function verdictOf<P extends PolicyRule>(
  source: string,
  labels: ReadonlyMap<string, string>,
  policy: P,
): Verdict<P> {
  if (policy.source !== source) return { kind: 'source', policy };
  const failing = failingMatcher(policy.matchers, labels);
  return failing === null
    ? { kind: 'taken', policy }
    : { kind: 'matcher', policy, matcher: failing.text };
}

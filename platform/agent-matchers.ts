import { failingMatcher, type Matcher, parseMatcher } from '../domain/matchers.ts';
import type { SelectAgents } from '../domain/target-selection.ts';
import { compileExpression } from './regular-expression.ts';

const kept = new Map<string, Matcher | null>();
const keptMax = 1_000;

/** Whether an agent's labels satisfy all matchers. One that cannot be parsed selects nobody (invariant 6). */
export const selectAgents: SelectAgents = (select, labels) => {
  const matchers = select.map(matcherOf);
  const usable = matchers.filter((matcher) => matcher !== null);
  return usable.length === matchers.length && failingMatcher(usable, labels) === null;
};

function matcherOf(text: string): Matcher | null {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const parsed = parseMatcher(text, compileExpression);
  const matcher = parsed.kind === 'parsed' ? parsed.matcher : null;
  if (kept.size >= keptMax) kept.clear();
  kept.set(text, matcher);
  return matcher;
}

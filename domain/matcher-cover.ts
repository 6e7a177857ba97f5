import type { Matcher } from './matchers.ts';

// What can be proven about lists of matchers without any alert at hand. "No" always means "not
// proven": a regular expression is understood only where it lists plain words, or matches all.

/**
 * Texts as unlike each other as labels get. An expression that matches all of them is taken for one
 * that matches everything; the last is longer than RE2 lets a repetition count.
 */
const probes: readonly string[] = [
  'x',
  '0',
  '-1',
  'A-1.b_c/d:e f',
  '\u00e9\u4e2d',
  'z'.repeat(1_001),
];

/** Whether the condition lets every value pass, a missing label included. */
export const letsAllPass = (matcher: Matcher): boolean =>
  matcher.matches('') && passesProbes(matcher);

/** Whether the condition only asks that the label is there, or not even that. */
export const letsAllPresentPass = (matcher: Matcher): boolean =>
  letsAllPass(matcher) || refusedBy(matcher)?.every((value) => value === '') === true;

/** Whether no labels can satisfy all of these at once, as far as that can be proven. */
export function contradiction(matchers: readonly Matcher[]): string | null {
  const names = new Set(matchers.map(({ name }) => name));
  return [...names].find((name) => valuesLeft(matchers, name)?.length === 0) ?? null;
}

/** Whether labels that satisfy all of `narrow` are proven to satisfy all of `wide` too. */
export const covers = (wide: readonly Matcher[], narrow: readonly Matcher[]): boolean =>
  wide.every((matcher) => follows(matcher, narrow));

function follows(matcher: Matcher, given: readonly Matcher[]): boolean {
  if (letsAllPass(matcher)) return true;
  const left = valuesLeft(given, matcher.name);
  if (left !== null) return left.every((value) => matcher.matches(value));
  const refused = refusedBy(matcher);
  return given
    .filter(({ name }) => name === matcher.name)
    .some(
      (other) =>
        (other.operator === matcher.operator && other.value === matcher.value) ||
        refused?.every((value) => !other.matches(value)) === true,
    );
}

/** The values of one label that all matchers accept, or null where they are not a short list. */
function valuesLeft(matchers: readonly Matcher[], name: string): readonly string[] | null {
  const ofName = matchers.filter((matcher) => matcher.name === name);
  for (const matcher of ofName) {
    const listed = acceptedBy(matcher);
    if (listed === null) continue;
    return listed.filter((value) => ofName.every((other) => other.matches(value)));
  }
  return null;
}

const acceptedBy = ({ operator, value }: Matcher): readonly string[] | null => {
  if (operator === '=') return [value];
  return operator === '=~' ? wordsOf(value) : null;
};

/** The values that a condition refuses, where it accepts all others. */
function refusedBy(matcher: Matcher): readonly string[] | null {
  if (matcher.operator === '!=') return [matcher.value];
  if (matcher.operator === '!~') return wordsOf(matcher.value);
  return !matcher.matches('') && passesProbes(matcher) ? [''] : null;
}

/** Only for an expression: `!=` and `!~` pass too, and yet refuse what they name. */
const passesProbes = (matcher: Matcher): boolean =>
  matcher.operator === '=~' && probes.every((probe) => matcher.matches(probe));

/** `page|critical` as its words; null where anything in it means more than itself. */
const wordsOf = (pattern: string): readonly string[] | null =>
  /^[\w\- /:]+(\|[\w\- /:]+)*$/.test(pattern) ? pattern.split('|') : null;

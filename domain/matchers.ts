/** Whether a text is matched as a whole. RE2 semantics, so that no pattern takes long (design 9). */
export type RegularExpression = { matches(text: string): boolean };
/** Answers the reason when the pattern is none. */
export type CompileExpression = (
  pattern: string,
) =>
  | { readonly kind: 'compiled'; readonly expression: RegularExpression }
  | { readonly kind: 'flawed'; readonly reason: string };

export type MatcherOperator = '=' | '!=' | '=~' | '!~';

/** One condition on one label. A label that is missing counts as empty, as in Alertmanager. */
export type Matcher = {
  readonly text: string;
  readonly name: string;
  readonly operator: MatcherOperator;
  readonly value: string;
  matches(value: string): boolean;
};

export type ParsedMatcher =
  | { readonly kind: 'parsed'; readonly matcher: Matcher }
  | { readonly kind: 'flawed'; readonly reason: string };

const operators: readonly MatcherOperator[] = ['=~', '!~', '!=', '='];
const bareName = /^[^\s"'`{}!=~,\\]+/;
const bareValue = /^[^\s"'`{}!=~,\\]*$/;

/**
 * A matcher in Alertmanager's syntax: `name="value"`, operators `=`, `!=`, `=~`, `!~`; names that
 * hold anything unusual are quoted, values may be bare. Never throws.
 */
export function parseMatcher(text: string, compile: CompileExpression): ParsedMatcher {
  const start = text.trim();
  const name = readName(start);
  if (name.kind === 'flawed') return name;
  const afterName = start.slice(name.length).trimStart();
  const operator = operators.find((candidate) => afterName.startsWith(candidate));
  if (!operator) return flawed(`needs =, !=, =~ or !~ after the label name in ${show(text)}`);
  const value = readValue(afterName.slice(operator.length).trim());
  if (value.kind === 'flawed') return value;
  const of = { text: start, name: name.text, operator, value: value.text };
  if (operator === '=') return parsed(of, (found) => found === of.value);
  if (operator === '!=') return parsed(of, (found) => found !== of.value);
  const compiled = compile(of.value);
  if (compiled.kind === 'flawed') {
    return flawed(`${show(of.value)} is no regular expression: ${compiled.reason}`);
  }
  const wanted = operator === '=~';
  return parsed(of, (found) => compiled.expression.matches(found) === wanted);
}

/** Whether labels satisfy all matchers; the first that fails, for whoever asks why. */
export function failingMatcher(
  matchers: readonly Matcher[],
  labels: ReadonlyMap<string, string>,
): Matcher | null {
  return matchers.find((matcher) => !matcher.matches(labels.get(matcher.name) ?? '')) ?? null;
}

type Read =
  | { readonly kind: 'read'; readonly text: string; readonly length: number }
  | { readonly kind: 'flawed'; readonly reason: string };

const show = (text: string): string => JSON.stringify(text.slice(0, 100));
const flawed = (reason: string) => ({ kind: 'flawed' as const, reason });
const parsed = (
  of: Omit<Matcher, 'matches'>,
  matches: (value: string) => boolean,
): ParsedMatcher => ({ kind: 'parsed', matcher: { ...of, matches } });

function readName(text: string): Read {
  if (text.startsWith('"')) {
    const quoted = readQuoted(text);
    return quoted.kind === 'read' && quoted.text === ''
      ? flawed('the label name is empty')
      : quoted;
  }
  const found = bareName.exec(text)?.[0];
  return found === undefined
    ? flawed(`must begin with a label name: ${show(text)}`)
    : { kind: 'read', text: found, length: found.length };
}

function readValue(text: string): Read {
  if (text.startsWith('"')) {
    const quoted = readQuoted(text);
    if (quoted.kind === 'flawed' || quoted.length === text.length) return quoted;
    return flawed(`has ${show(text.slice(quoted.length))} after the value; write one matcher each`);
  }
  return bareValue.test(text)
    ? { kind: 'read', text, length: text.length }
    : flawed(`the value ${show(text)} must be in double quotes`);
}

const escapes: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

/** Text in double quotes at the start of `text`. Other escapes stay as they are: `\d` is a regex. */
function readQuoted(text: string): Read {
  let out = '';
  for (let at = 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') return { kind: 'read', text: out, length: at + 1 };
    if (char !== '\\') {
      out += char;
      continue;
    }
    at += 1;
    const next = text.charAt(at);
    out += escapes[next] ?? `\\${next}`;
  }
  return flawed(`has no closing quote: ${show(text)}`);
}

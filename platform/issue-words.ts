import type { z } from 'zod';
import { nearName } from './near-name.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** A flaw of data that a person wrote, with what is written there and what may be. */
export type IssueWords = { readonly path: Path; readonly message: string };

/**
 * What a schema's issue says to the person who wrote `data`. Of several forms that a value may have, the one that
 * it has by its type is spoken of, key by key. A schema's own words stay as they are.
 */
export function issueWords(issue: Issue, data: unknown, under: Path = []): readonly IssueWords[] {
  const path = [...under, ...issue.path];
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((errors) => errors.length > 0 && errors.every(isWithin));
    if (meant !== undefined) return meant.flatMap((inner) => issueWords(inner, data, path));
    if (isOwn(issue)) return [{ path, message: issue.message }];
    const inner = issue.errors.flat().map((one) => wordsOf(one, valueAt(data, path)));
    return [
      { path, message: inner.length > 0 ? [...new Set(inner)].join(', or ') : issue.message },
    ];
  }
  return [{ path, message: wordsOf(issue, valueAt(data, path)) }];
}

/** Whether it is about a part of the value, so that the value itself has the right type. */
const isWithin = (issue: Issue): boolean =>
  issue.path.length > 0 || issue.code === 'unrecognized_keys' || issue.code === 'custom';

const isOwn = ({ message }: Issue): boolean =>
  !/^(Invalid (input|option|string|key)|Too (small|big)|Unrecognized key)/.test(message);

function wordsOf(issue: Issue, value: unknown): string {
  if (isOwn(issue)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return `is missing; must be ${typeWords(issue.expected)}`;
      return `${shown(value)} must be ${typeWords(issue.expected)}`;
    case 'invalid_value':
      return `${shown(value)} is not known; write ${issue.values.map(String).join(', ')}${meant(value, issue.values)}`;
    case 'too_small':
      return `${shown(value)} is too small: at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `${shown(value)} is too large: at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return `${shown(value)} is not of the form ${issue.pattern ?? issue.format}`;
    case 'invalid_key':
      return `the key is not of the form that keys have: ${issue.issues.map(({ message }) => message).join('; ')}`;
    default:
      return issue.message;
  }
}

const types: Readonly<Record<string, string>> = {
  string: 'text, in quotes if it looks like a number',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
};
const typeWords = (expected: string): string => types[expected] ?? expected;

const unitOf = (origin: string): string =>
  ({ string: ' characters', array: ' entries', set: ' entries' })[origin] ?? '';

function meant(value: unknown, values: readonly unknown[]): string {
  const near = typeof value === 'string' ? nearName(value, values.map(String)) : null;
  return near === null ? '' : `; did you mean "${near}"?`;
}

const shownMax = 60;

/** What is written there, as JSON; cut where it is long. */
function shown(value: unknown): string {
  if (value === null) return 'nothing is written:';
  if (Array.isArray(value)) return 'a list:';
  if (typeof value === 'object') return 'a map:';
  const text = JSON.stringify(value) ?? '';
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined,
    data,
  );
}

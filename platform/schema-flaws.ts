import type { z } from 'zod';
import { issueWords } from './issue-words.ts';
import { nearName } from './near-name.ts';
import type { FileFlaw, YamlDocument, YamlPath } from './yaml-document.ts';

/**
 * Checks one document against its schema and says each flaw with its place. What is named in
 * `notSupported` is refused as such and nothing else is said about it.
 */
export function checkDocument<S extends z.ZodType>(
  document: YamlDocument,
  schema: S,
  notSupported: readonly string[],
):
  | { readonly kind: 'checked'; readonly data: z.output<S> }
  | { readonly kind: 'flawed'; readonly flaws: readonly FileFlaw[] } {
  const refused = notSupported.flatMap((pattern) => findings(document.data, pattern));
  const flaws = refused.map(({ path, message }) => flawAt(document, path, message));
  const isRefused = (path: YamlPath) =>
    refused.some((found) => found.path.every((part, at) => part === path[at]));
  const parsed = schema.safeParse(document.data);
  if (parsed.success && flaws.length === 0) return { kind: 'checked', data: parsed.data };
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, path);
      for (const key of issue.keys) {
        if (isRefused([...path, key])) continue;
        flaws.push(flawAt(document, [...path, key], unknownKey(key, known)));
      }
    } else if (!isRefused(path)) {
      for (const words of issueWords(issue, document.data)) {
        const at = words.path.filter((part) => typeof part !== 'symbol');
        flaws.push(flawAt(document, at, words.message));
      }
    }
  }
  return { kind: 'flawed', flaws };
}

export const flawAt = (document: YamlDocument, path: YamlPath, message: string): FileFlaw => ({
  ...document.placeOfKey(path),
  path: path.join('.'),
  message,
});

/** `did you mean "x"?` with a space before it, or nothing. */
export function suggestion(given: string, known: readonly string[]): string {
  const near = nearName(given, known);
  return near === null ? '' : `; did you mean "${near}"?`;
}

const unknownKey = (key: string, known: readonly string[]): string => {
  const near = suggestion(key, known);
  return `unknown key "${key}"${near || (known.length > 0 ? `; known are ${known.join(', ')}` : '')}`;
};

type Finding = { readonly path: YamlPath; readonly message: string };
const refusal = 'is not supported in this version';

/** Where `pattern` of `notSupported` is met: a key that is there, or `key=value`. */
function findings(data: unknown, pattern: string): Finding[] {
  const equals = pattern.indexOf('=');
  const keys = (equals < 0 ? pattern : pattern.slice(0, equals)).split('.');
  const value = equals < 0 ? null : pattern.slice(equals + 1);
  return visit(data, keys, []).flatMap(({ path, found }) => {
    if (value === null) return found === undefined ? [] : [{ path, message: refusal }];
    return found === value ? [{ path, message: `"${value}" ${refusal}` }] : [];
  });
}

function visit(
  data: unknown,
  keys: readonly string[],
  path: YamlPath,
): { readonly path: YamlPath; readonly found: unknown }[] {
  const [key, ...rest] = keys;
  if (key === undefined) return [{ path, found: data }];
  if (key === '*') {
    return Array.isArray(data) ? data.flatMap((item, at) => visit(item, rest, [...path, at])) : [];
  }
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return [];
  const found = Object.entries(data).find(([name]) => name === key)?.[1];
  return found === undefined && rest.length > 0 ? [] : visit(found, rest, [...path, key]);
}

/** Keys that the schema knows at `path`, for suggestions. */
function knownKeys(schema: unknown, path: YamlPath): string[] {
  let found = [schema].flatMap(unwrapped);
  for (const part of path) {
    found = found.flatMap((one) => inside(one, part)).flatMap(unwrapped);
  }
  return found.flatMap((one) => Object.keys(one.shape ?? {}));
}

/** As much of zod's own description of a schema as is needed to walk it. */
type Definition = {
  readonly type?: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly options?: readonly unknown[];
};

function unwrapped(schema: unknown): Definition[] {
  const def = (schema as { def?: Definition } | undefined)?.def; // Every zod 4 schema has one.
  if (!def) return [];
  if (def.innerType !== undefined) return unwrapped(def.innerType);
  if (def.options !== undefined) return def.options.flatMap(unwrapped);
  if (def.type === 'pipe') return unwrapped(def.in);
  return [def];
}

function inside(def: Definition, part: string | number): unknown[] {
  if (def.shape) return Object.hasOwn(def.shape, part) ? [def.shape[part]] : [];
  return [def.element ?? def.valueType];
}

import { type Matcher, parseMatcher } from '../domain/matchers.ts';
import { compileExpression } from './regular-expression.ts';
import { flawAt } from './schema-flaws.ts';
import type { FileFlaw, YamlDocument, YamlPath } from './yaml-document.ts';

/** Where what is found wrong in a policy is put. */
export type FlawedDocument = { readonly document: YamlDocument; readonly flaws: FileFlaw[] };

/** The matchers of a list in a policy; one that cannot be parsed is left out and becomes a flaw. */
export function parseMatchers(
  texts: readonly string[],
  path: YamlPath,
  of: FlawedDocument,
): Matcher[] {
  return texts.flatMap((text, at) => {
    const parsed = parseMatcher(text, compileExpression);
    if (parsed.kind === 'parsed') return [parsed.matcher];
    of.flaws.push(flawAt(of.document, [...path, at], parsed.reason));
    return [];
  });
}

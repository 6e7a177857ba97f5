import { RE2JS } from 're2js';
import type { CompileExpression } from '../domain/matchers.ts';

/**
 * RE2 expressions, anchored at both ends as Alertmanager does. Matching takes time linear in the
 * text, whatever the pattern. Never throws.
 */
export const compileExpression: CompileExpression = (pattern) => {
  try {
    // Alone first: `a)|(b` would otherwise become valid, and unanchored, inside our own group.
    RE2JS.compile(pattern);
    const anchored = RE2JS.compile(`^(?:${pattern})$`);
    return { kind: 'compiled', expression: { matches: (text) => anchored.matches(text) } };
  } catch (error) {
    return { kind: 'flawed', reason: error instanceof Error ? error.message : 'it is not valid' };
  }
};

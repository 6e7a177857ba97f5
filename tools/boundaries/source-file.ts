import { posix } from 'node:path';

/** One import of a file. `path` is relative to the root for our own files, null for packages. */
export type Import = {
  readonly line: number;
  readonly isType: boolean;
  readonly specifier: string;
  readonly path: string | null;
};

export type SourceFile = {
  /** Relative to the root, with `/`. */
  readonly name: string;
  /** The text with comments and string contents blanked, so that words in them are no code. */
  readonly code: string;
  readonly imports: readonly Import[];
};

// The house formatter puts every import and re-export at the start of a line.
const staticImport = /^(?:import|export)\s+(type\s+)?(?:([^'"`;]*?)\sfrom\s+)?['"]([^'"]+)['"]/gm;
const dynamicImport = /\b(?:import|require|createRequire)\s*\(\s*['"]([^'"]+)['"]/g;

/** A file by its name and text. */
export function sourceFile(name: string, text: string): SourceFile {
  const withoutComments = blankComments(text);
  const found: Import[] = [];
  const add = (index: number, isType: boolean, specifier: string) => {
    const line = text.slice(0, index).split('\n').length;
    found.push({ line, isType, specifier, path: ownPath(name, specifier) });
  };
  for (const match of withoutComments.matchAll(staticImport)) {
    add(match.index, match[1] !== undefined || onlyTypes(match[2]), match[3] ?? '');
  }
  for (const match of withoutComments.matchAll(dynamicImport)) {
    add(match.index, false, match[1] ?? '');
  }
  return { name, code: blankStrings(withoutComments), imports: found };
}

/** `{ type A, type B }` imports nothing at run time. */
function onlyTypes(clause: string | undefined): boolean {
  const names = /^\{([^}]*)\}$/.exec(clause?.trim() ?? '')?.[1];
  if (names === undefined) return false;
  const parts = names.split(',').filter((part) => part.trim() !== '');
  return parts.length > 0 && parts.every((part) => part.trim().startsWith('type '));
}

function ownPath(name: string, specifier: string): string | null {
  return specifier.startsWith('.') ? posix.join(posix.dirname(name), specifier) : null;
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

// Strings first in the pattern, so that `//` inside a URL is not taken for a comment.
const token =
  /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

function blankComments(text: string): string {
  return text.replace(token, (found) => (found.startsWith('/') ? blank(found) : found));
}

function blankStrings(text: string): string {
  return text.replace(token, (found) => (found.startsWith('`') ? found : blank(found)));
}

import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';

/** A place in a file, counted from 1. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };
/** Something wrong in a policy or runbook file, where, and at which key. */
export type FileFlaw = Place & { readonly path: string; readonly message: string };
export type YamlPath = readonly (string | number)[];

/** One document of a file: its data, and where each part of it stands. */
export type YamlDocument = {
  readonly data: unknown;
  readonly file: string;
  /** Where the value at `path` stands, or the nearest part around it that is there. */
  placeOf(path: YamlPath): Place;
  /** Where the key itself stands. */
  placeOfKey(path: YamlPath): Place;
};

const aliasesMax = 32;

/**
 * All documents of a file with line and column. Empty documents are left out. Aliases may stand
 * for at most 32 copies, so that no file unfolds into gigabytes. Never throws.
 */
export function parseYaml(
  file: string,
  text: string,
): { readonly documents: readonly YamlDocument[]; readonly flaws: readonly FileFlaw[] } {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents: YamlDocument[] = [];
  const flaws: FileFlaw[] = [];
  for (const document of Array.isArray(parsed) ? parsed : []) {
    for (const error of document.errors) {
      flaws.push({ ...place(file, lines, error.pos[0]), path: '', message: error.message });
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    try {
      const data: unknown = document.toJS({ maxAliasCount: aliasesMax });
      if (data !== null) documents.push(located({ file, lines, document, data }));
    } catch (error) {
      const message = error instanceof Error ? error.message : 'cannot be read';
      flaws.push({ ...place(file, lines, document.range?.[0] ?? 0), path: '', message });
    }
  }
  return { documents, flaws };
}

function place(file: string, lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(1, line), column: Math.max(1, col) };
}

function located(of: {
  readonly file: string;
  readonly lines: LineCounter;
  readonly document: Document;
  readonly data: unknown;
}): YamlDocument {
  const at = (node: Node | null | undefined) => place(of.file, of.lines, node?.range?.[0] ?? 0);
  const placeOf = (path: YamlPath): Place => at(nearestNode(of.document.contents, path));
  return {
    data: of.data,
    file: of.file,
    placeOf,
    placeOfKey(path) {
      const key = path.at(-1);
      const around = nodeAt(of.document.contents, path.slice(0, -1));
      if (isMap(around)) {
        const pair = around.items.find(
          ({ key: found }) => isScalar(found) && String(found.value) === String(key),
        );
        if (pair && isScalar(pair.key)) return at(pair.key);
      }
      return placeOf(path);
    },
  };
}

function nodeAt(root: unknown, path: YamlPath): unknown {
  if (path.length === 0) return root;
  return isCollection(root) ? root.getIn(path, true) : undefined;
}

function nearestNode(root: Node | null, path: YamlPath): Node | null {
  for (let length = path.length; length > 0; length -= 1) {
    const node = nodeAt(root, path.slice(0, length));
    if (isScalar(node) || isCollection(node)) return node;
  }
  return root;
}

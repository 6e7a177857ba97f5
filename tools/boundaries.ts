// The import rules of the house as a check: `node tools/boundaries.ts [root]` prints each breach
// with its reason and ends with 1 if there is one.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Breach, breachesOf, cyclesOf } from './boundaries/rules.ts';
import { type SourceFile, sourceFile } from './boundaries/source-file.ts';

const skipped = new Set(['node_modules', '.git', '.fixpoint', 'fixtures']);

/** Every TypeScript file below `root`, with what it imports. */
export function sourceFiles(root: string): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !skipped.has(entry.name)) walk(path);
      else if (entry.isFile() && entry.name.endsWith('.ts')) {
        const name = relative(root, path).split(sep).join('/');
        files.push(sourceFile(name, readFileSync(path, 'utf8')));
      }
    }
  };
  walk(root);
  return files;
}

/** Every breach of the import rules below `root`, in the order of the files. */
export function checkBoundaries(root: string): Breach[] {
  const files = sourceFiles(root);
  return [...files.flatMap(breachesOf), ...cyclesOf(files)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url));
  const breaches = checkBoundaries(root);
  for (const { file, line, rule, message } of breaches) {
    process.stderr.write(`${file}:${line} [${rule}] ${message}\n`);
  }
  process.exitCode = breaches.length === 0 ? 0 : 1;
}

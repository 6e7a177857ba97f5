import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A change of one source file; `find` must be there exactly once. */
export type Patch = { readonly file: string; readonly find: string; readonly replace: string };

const clone = fileURLToPath(new URL('../../../', import.meta.url));
const left: ReadonlySet<string> = new Set(['.git', '.fixpoint', 'node_modules', 'test', 'bench']);

/**
 * A copy of this clone with changes, ready to be started. Throws if a change does not fit, so that
 * a test of a broken build never runs a whole one. Remove it when done.
 */
export function brokenBuild(patches: readonly Patch[]): { readonly root: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'fixpoint-broken-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    cpSync(clone, root, { recursive: true, filter: (path) => !left.has(basename(path)) });
    cpSync(join(clone, '.fixpoint/servers.json'), join(root, '.fixpoint/servers.json'));
    symlinkSync(join(clone, 'node_modules'), join(root, 'node_modules'));
    for (const patch of patches) apply(root, patch);
    return { root, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function apply(root: string, { file, find, replace }: Patch): void {
  const path = join(root, file);
  const parts = readFileSync(path, 'utf8').split(find);
  if (parts.length !== 2) {
    throw new Error(`${file} has ${parts.length - 1} times what is to be broken: ${find}`);
  }
  writeFileSync(path, parts.join(replace));
}

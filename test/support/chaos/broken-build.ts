import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

type Patch = { readonly file: string; readonly find: string; readonly replace: string };

/** What is taken out of a build; each place must be there exactly once. */
const patchesOf = {
  /**
   * A SIGKILL leaves the page cache alone, so a missing fsync as such cannot be seen by killing. What
   * the fsync is for can: the intent must be there before the process is.
   */
  intentBeforeStart: [
    {
      file: 'agent/job-desk.ts',
      find: '      await this.#deps.journal.append(intent);\n',
      replace: '',
    },
    {
      file: 'agent/job-desk.ts',
      find: '    // A cancel that came while the script was being started',
      replace: '    await this.#deps.journal.append(intent);\n    // A cancel that came',
    },
  ],
  /** With the folder as second witness, which alone still keeps a job from starting twice. */
  lookAtTheJournal: [
    {
      file: 'agent/job-desk.ts',
      find: '    if (this.#deps.journal.entry(jobId) !== undefined) return this.#answer(frame);\n',
      replace: '',
    },
    {
      file: 'agent/job-folder.ts',
      find: '    mkdirSync(this.path, { mode: 0o700 });\n',
      replace: '    this.remove();\n    mkdirSync(this.path, { mode: 0o700 });\n',
    },
  ],
  tombstone: [
    {
      file: 'redis/intake.ts',
      find: "  return end === null ? '' : sortableInstant(end);\n",
      replace: "  return '';\n",
    },
  ],
} as const satisfies Readonly<Record<string, readonly Patch[]>>;

export type BrokenPart = keyof typeof patchesOf;
export const brokenParts = Object.keys(patchesOf) as readonly BrokenPart[]; // The table's own keys.

const clone = fileURLToPath(new URL('../../../', import.meta.url));
const left: ReadonlySet<string> = new Set(['.git', '.fixpoint', 'node_modules', 'test', 'bench']);

/**
 * The files that lose the part, as they are without it, by their paths. Throws if the part is not
 * where it was, so that a test of a broken build never runs a whole one.
 */
export function filesWithout(part: BrokenPart): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, replace } of patchesOf[part]) {
    const pieces = (texts.get(file) ?? readFileSync(join(clone, file), 'utf8')).split(find);
    if (pieces.length !== 2) {
      throw new Error(`${file} has ${pieces.length - 1} times what is to be broken: ${find}`);
    }
    texts.set(file, pieces.join(replace));
  }
  return texts;
}

/** A copy of this clone without that part, or a whole one, ready to be started. Remove it when done. */
export function brokenBuild(part: BrokenPart | null): { readonly root: string; remove(): void } {
  const files = part === null ? new Map<string, string>() : filesWithout(part);
  const root = mkdtempSync(join(tmpdir(), 'fixpoint-broken-'));
  cpSync(clone, root, { recursive: true, filter: (path) => !left.has(basename(path)) });
  cpSync(join(clone, '.fixpoint/servers.json'), join(root, '.fixpoint/servers.json'));
  symlinkSync(join(clone, 'node_modules'), join(root, 'node_modules'));
  for (const [file, text] of files) writeFileSync(join(root, file), text);
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FixpointError } from '../domain/errors.ts';

/** Another one for a file that was put in this one's place. */
export const idOf = ({ ino, birthtimeMs }: Stats): string => `${ino}/${birthtimeMs}`;

/** Null if there is none. Throws what else keeps it from being read. */
export async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** From a byte on, up to the end or to another byte. */
export async function textFrom(file: FileHandle, start: number, end = Infinity): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of file.createReadStream({ start, end: end - 1, autoClose: false })) {
    chunks.push(chunk as Buffer); // No encoding was asked for, so they are bytes.
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Whoever else writes did not wait, or put another file in this one's place. */
export const otherWriter = (path: string): FixpointError =>
  new FixpointError('upstream_unavailable', `${path} has another writer`, { hint: 'try again' });

/** Of what lies beside the register until it takes its place. */
const ending = '.shorter';

/**
 * Puts `text` in the place of the first `seen.bytes` of a file that is appended to, whole or not at
 * all. What follows them goes along, also what a writer that was held up for longer than a lock lives
 * appends at the last moment. False, and nothing is changed, if the file is another one by now;
 * throws, likewise, if it becomes another one meanwhile. Call it under the file's lock.
 */
export async function replaceBeginning(of: {
  readonly path: string;
  readonly seen: { readonly id: string; readonly bytes: number };
  readonly text: string;
  /** Names what lies beside the file meanwhile. */
  readonly word: string;
  /** Called when only the last step is left. It may throw. */
  readonly beforeSwap: () => Promise<void>;
}): Promise<boolean> {
  const { path, seen } = of;
  await clearAside(path);
  const aside = `${path}.${of.word}${ending}`;
  const long = await open(path, 'r');
  try {
    if (idOf(await long.stat()) !== seen.id) return false;
    const tail = wholeLines(await textFrom(long, seen.bytes));
    await writeLike(long, { path: aside, text: of.text + tail });
    await of.beforeSwap();
    if (idOf(await stat(path)) !== seen.id) throw otherWriter(path);
    await rename(aside, path);
    await syncFolder(dirname(path));
    const late = wholeLines(await textFrom(long, seen.bytes + Buffer.byteLength(tail)));
    if (late !== '') await append(path, late);
    return true;
  } finally {
    await long.close();
    await rm(aside, { force: true });
  }
}

/** Without a last line that is torn or still being written. */
const wholeLines = (text: string): string => text.slice(0, text.lastIndexOf('\n') + 1);

/** Removes what tries that died left beside the register. */
async function clearAside(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    const isAside = name.startsWith(`${basename(path)}.`) && name.endsWith(ending);
    if (isAside) await rm(join(dirname(path), name), { force: true });
  }
}

/** Writes a file for those who may read the other one. */
async function writeLike(
  other: FileHandle,
  of: { readonly path: string; readonly text: string },
): Promise<void> {
  const { mode, uid, gid } = await other.stat();
  const file = await open(of.path, 'wx', 0o600);
  try {
    await file.writeFile(of.text);
    const own = await file.stat();
    if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
    await file.chmod(mode & 0o777);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function append(path: string, text: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.appendFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

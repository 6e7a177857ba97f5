// Servers that were fetched or built: one directory each, by name and version, shared by all clones
// of a user. An entry is whole or it is not there: it is made beside its place and renamed into it,
// and its digests are checked on each use.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isAlive } from './process.mjs';

const manifestName = 'digests.json';

/** The user's cache of Fixpoint. */
export const cacheDirectory = (env) =>
  join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'fixpoint');

/** Whether `entry` is there and as it was made: `whole`, `absent` or `damaged`. */
export async function entryState(entry) {
  let manifest;
  try {
    manifest = JSON.parse(await readFile(join(entry, manifestName), 'utf8'));
  } catch (error) {
    return error.code === 'ENOENT' && !(await hasFiles(entry)) ? 'absent' : 'damaged';
  }
  try {
    const present = await digestsOf(entry);
    return JSON.stringify(present) === JSON.stringify(manifest.files) ? 'whole' : 'damaged';
  } catch {
    return 'damaged';
  }
}

/**
 * Makes `entry` by `make(directory)` and puts it in place, in one step. A process that dies on the
 * way leaves a directory of its own name behind, which the next one removes.
 */
export async function makeEntry(entry, make) {
  const parent = dirname(entry);
  await mkdir(parent, { recursive: true });
  await removeAbandoned(parent, basename(entry));
  const name = `.${basename(entry)}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const work = join(parent, name);
  await mkdir(work);
  try {
    await make(work);
    const files = await digestsOf(work);
    await writeFile(join(work, manifestName), `${JSON.stringify({ files }, null, 2)}\n`);
    await rm(entry, { recursive: true, force: true });
    await rename(work, entry);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function hasFiles(directory) {
  try {
    return (await readdir(directory)).length > 0;
  } catch {
    return false;
  }
}

async function removeAbandoned(parent, name) {
  const pattern = `.${name}.`;
  for (const found of readdirSync(parent)) {
    if (!found.startsWith(pattern)) continue;
    const pid = Number(found.slice(pattern.length).split('.')[0]);
    if (isAlive(pid)) continue;
    await rm(join(parent, found), { recursive: true, force: true });
  }
}

/** SHA-256 of every file below `directory` but the manifest, by relative path, sorted. */
async function digestsOf(directory) {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name !== manifestName)
    .map((entry) => relative(directory, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
  const digests = {};
  for (const file of files) digests[file] = await digestOf(join(directory, file));
  return digests;
}

async function digestOf(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 4 * 1024 * 1024 }), hash);
  return hash.digest('hex');
}

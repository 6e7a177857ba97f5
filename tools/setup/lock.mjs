// One set-up at a time for each thing that is made. The lock is a directory that holds its owner
// from the first moment it can be seen; a lock of a dead process is taken over.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { isSame, startTimeOf } from './process.mjs';

const retryMs = 250;
const heartbeatMs = 5_000;
// Another machine's process cannot be looked at (a shared home directory): its heartbeat can.
const foreignStaleMs = 60_000;

/**
 * Runs `work` while holding the lock `path`. Waits as long as a living process holds it; `onWait`
 * hears whom we wait for. The lock saves double work only: what is made under it is put in place
 * atomically, so that two holders would be slow, not wrong.
 */
export async function withLock(path, onWait, work) {
  await mkdir(dirname(path), { recursive: true });
  const token = randomBytes(8).toString('hex');
  while (!(await take(path, token))) {
    const owner = await ownerOf(path);
    if (owner === null || (await isStale(path, owner))) await takeAway(path, owner);
    else {
      onWait(owner);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    const owner = await ownerOf(path);
    if (owner?.token === token) await rm(path, { recursive: true, force: true });
  }
}

async function take(path, token) {
  const own = `${path}.${token}`;
  await mkdir(own, { recursive: true });
  const owner = { pid: process.pid, startTime: startTimeOf(process.pid), host: hostname(), token };
  await writeFile(join(own, 'owner.json'), JSON.stringify(owner));
  try {
    await rename(own, path);
    return true;
  } catch {
    // Somebody's directory is there; a rename never replaces one that is not empty.
    await rm(own, { recursive: true, force: true });
    return false;
  }
}

async function ownerOf(path) {
  try {
    return JSON.parse(await readFile(join(path, 'owner.json'), 'utf8'));
  } catch {
    return null;
  }
}

async function isStale(path, owner) {
  if (owner.host === hostname()) return !isSame(owner);
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
  return Date.now() - mtimeMs > foreignStaleMs;
}

/** Moves the lock of `owner` out of the way, unless another one took it meanwhile. */
async function takeAway(path, owner) {
  const aside = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await ownerOf(aside);
  if (moved !== null && moved.token !== owner?.token) {
    await rename(aside, path).catch(() => {});
  }
  await rm(aside, { recursive: true, force: true });
}

import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';

const retryMs = 10;
const giveUpMs = 5_000;
/** A holder works for milliseconds; one that is older than this died. */
const deadMs = 10_000;

const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `work` while no other process that shares the folder does, and no other call in this one.
 * `work` asserts, right before the step that matters, that nobody took the lock over from it in
 * the belief that it died. Throws `upstream_unavailable` when the lock cannot be had in 5 s.
 */
export function withFileLock<T>(
  of: { readonly path: string; readonly clock: Clock },
  work: (assertHeld: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const before = queues.get(of.path) ?? Promise.resolve();
  const done = before.then(() => locked(of, work));
  const settled = done.catch(() => undefined);
  queues.set(of.path, settled);
  void settled.then(() => {
    if (queues.get(of.path) === settled) queues.delete(of.path);
  });
  return done;
}

async function locked<T>(
  { path, clock }: { readonly path: string; readonly clock: Clock },
  work: (assertHeld: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const mine = Buffer.from(clock.randomBytes(16)).toString('hex');
  const until = clock.monotonic() + giveUpMs;
  while (!(await tryTake(path, mine))) {
    if (clock.monotonic() > until) throw busy(path);
    await takeAwayIfDead(path, clock);
    await clock.sleep(retryMs);
  }
  try {
    return await work(async () => {
      if ((await textOf(path)) !== mine) throw busy(path);
    });
  } finally {
    if ((await textOf(path)) === mine) await rm(path, { force: true });
  }
}

async function tryTake(path: string, mine: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(mine).finally(() => file.close());
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function takeAwayIfDead(path: string, clock: Clock): Promise<void> {
  if (!(await isDead(path, clock))) return;
  const aside = `${path}.${Buffer.from(clock.randomBytes(8)).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return; // Given back, or taken away by somebody else, meanwhile.
  }
  // Somebody quicker may have taken it over since it was looked at: what is alive is put back.
  if (!(await isDead(aside, clock))) await link(aside, path).catch(() => undefined); // Taken again.
  await rm(aside, { force: true });
}

async function isDead(path: string, clock: Clock): Promise<boolean> {
  try {
    return clock.now() - (await stat(path)).mtimeMs >= deadMs;
  } catch {
    return false; // Given back meanwhile.
  }
}

const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

const busy = (path: string): FixpointError =>
  new FixpointError('upstream_unavailable', `${path} is held by another process`, {
    hint: 'try again; a lock left behind by a dead process is taken over after 10 s',
  });

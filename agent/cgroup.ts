import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where this process may make control groups (cgroup v2), or null if it may make none. */
export function findCgroupHome(): string | null {
  try {
    const own = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    const mount = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, , type]) => type === 'cgroup2')?.[1];
    if (own === undefined || mount === undefined || own.includes('/..')) return null;
    const home = join(mount, own);
    // Rights are not told by mode bits alone: containers mount it read-only.
    const trial = join(home, `fixpoint-trial-${process.pid}`);
    mkdirSync(trial);
    rmdirSync(trial);
    return home;
  } catch {
    // No cgroup v2, or none that is ours to divide: jobs are found by their mark instead.
    return null;
  }
}

const nameOf = (jobId: string): string => `fixpoint-${jobId}`;

/** Folder of the job's control group, there or not; null where none can be. */
export const cgroupOf = (home: string | null, jobId: string): string | null =>
  home === null ? null : join(home, nameOf(jobId));

/** Makes the job's control group and returns its folder, or null if that fails now. */
export function makeCgroup(home: string | null, jobId: string): string | null {
  const path = cgroupOf(home, jobId);
  if (path === null) return null;
  try {
    mkdirSync(path);
    return path;
  } catch {
    return null;
  }
}

/** Live processes of the group; empty if there is none of that path. */
export function pidsOfCgroup(path: string): readonly number[] {
  try {
    return readFileSync(join(path, 'cgroup.procs'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } catch {
    // Never made, or removed.
    return [];
  }
}

/** Kills all of the group in one step, whatever it forks meanwhile. False before Linux 5.14. */
export function killCgroup(path: string): boolean {
  try {
    // Without O_CREAT: there is such a file or the kernel is too old.
    writeFileSync(join(path, 'cgroup.kill'), '1', { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

/** Removes the group unless something lives in it; says whether it is gone. May be repeated. */
export function removeCgroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    // Else a service that the script left behind lives in it; the next round looks again.
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

/** Removes groups of the agent's jobs in which nothing lives any more. Call it when no job starts. */
export function removeEmptyCgroups(home: string | null, agentId: string): void {
  if (home === null) return;
  for (const name of readdirSync(home)) {
    if (name.startsWith(nameOf('')) && name.endsWith(`.${agentId}`)) removeCgroup(join(home, name));
  }
}

import { readdirSync, readFileSync } from 'node:fs';
import { findCgroupHome } from './cgroup.ts';

/** A live process and what tells whose it is. */
export type ProcessRow = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly startTime: string;
  /** `FIXPOINT_JOB_ID` of its environment as it was started, null if it has none that we may read. */
  readonly jobId: string | null;
};

/** What the host's kernel knows of processes. Linux only: it reads `/proc`. */
export type ProcessTable = {
  /** Changes with every boot of the host (rule R11). */
  bootId(): string;
  /** Start time in clock ticks since boot, or null if no such process lives (a zombie does not). */
  startTimeOf(pid: number): string | null;
  /** Milliseconds since a process of that start time was started; no wall clock is in it. */
  ageMs(startTime: string): number;
  /** Whether the process lives and `argument` is one of its command line. */
  hasArgument(pid: number, argument: string): boolean;
  /**
   * Whether the process of that pid and start time lives, or it is dead and others of its group
   * do: while they do, the kernel gives its pid to no one else.
   */
  isJobAlive(pid: number, startTime: string): boolean;
  /** Whether a process of the group and session that `leader` opened still lives. */
  isGroupAlive(leader: number): boolean;
  /** Sends a signal to the whole group; a group that is gone is no error. */
  signalGroup(leader: number, signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Sends a signal to one process; one that is gone, or is not ours, is no error. */
  signal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void;
  /** The live ones of `pids`, or all live processes of the host, which is dear: two files each. */
  scan(pids?: readonly number[]): readonly ProcessRow[];
  /** Folder in which control groups of jobs may be made (cgroup v2), or null. */
  cgroupHome(): string | null;
};

/** Linux counts `/proc/<pid>/stat` times in 1/100 s on every architecture Node runs on. */
const tickMs = 10;

const marker = 'FIXPOINT_JOB_ID=';
let cgroupHome: string | null | undefined;

type Stat = { readonly state: string; readonly group: number; readonly session: number };

export const systemProcesses: ProcessTable = {
  bootId: () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  startTimeOf(pid) {
    const fields = statFields(pid);
    return fields === null || isDead(fields[0]) ? null : (fields[19] ?? null);
  },
  isJobAlive(pid, startTime) {
    const found = systemProcesses.startTimeOf(pid);
    return found === null ? systemProcesses.isGroupAlive(pid) : found === startTime;
  },
  ageMs(startTime) {
    const uptimeS = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    return Math.max(0, uptimeS * 1000 - Number(startTime) * tickMs);
  },
  hasArgument(pid, argument) {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument);
    } catch {
      // Gone.
      return false;
    }
  },
  isGroupAlive(leader) {
    try {
      process.kill(-leader, 0);
    } catch (error) {
      if (codeOf(error) === 'ESRCH') return false;
    }
    // The kernel also counts zombies, which nobody may ever reap in a container without init.
    return allPids().some((pid) => {
      const stat = statOf(pid);
      return stat?.group === leader && stat.session === leader && !isDead(stat.state);
    });
  },
  signalGroup(leader, signal) {
    try {
      process.kill(-leader, signal);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  },
  signal(pid, signal) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error;
    }
  },
  scan: (pids) =>
    (pids ?? allPids()).flatMap((pid): ProcessRow[] => {
      const fields = statFields(pid);
      if (fields === null || isDead(fields[0])) return [];
      return [
        {
          pid,
          parent: Number(fields[1]),
          group: Number(fields[2]),
          session: Number(fields[3]),
          startTime: fields[19] ?? '',
          jobId: markOf(pid),
        },
      ];
    }),
  cgroupHome() {
    if (cgroupHome === undefined) cgroupHome = findCgroupHome();
    return cgroupHome;
  },
};

const isDead = (state: string | undefined): boolean => state === 'Z' || state === 'X';

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

function statOf(pid: number): Stat | null {
  const fields = statFields(pid);
  return fields === null
    ? null
    : { state: fields[0] ?? '', group: Number(fields[2]), session: Number(fields[3]) };
}

const allPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function markOf(pid: number): string | null {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return entries.find((entry) => entry.startsWith(marker))?.slice(marker.length) ?? null;
  } catch {
    // Gone, or another user's.
    return null;
  }
}

/** Fields from the third on: the second, the command, may hold blanks and brackets. */
function statFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    // Gone between the listing and the look, which is an answer.
    return null;
  }
}

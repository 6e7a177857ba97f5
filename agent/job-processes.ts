import type { Clock } from '../platform/clock.ts';
import { killCgroup, pidsOfCgroup, removeCgroup } from './cgroup.ts';
import type { ProcessRow, ProcessTable } from './process-table.ts';

/** Which processes are meant: the helper that leads them, and where they were put. */
export type JobProcessesOf = {
  readonly jobId: string;
  readonly pid: number;
  readonly startTime: string;
  readonly cgroup: string | null;
};

/** How the processes of a job were ended. */
export type Ended = {
  /** `cgroup`: nothing can leave it. `sweep`: found by group, session, parents and mark. */
  readonly by: 'cgroup' | 'sweep';
  /** Processes that had left the job's process group. */
  readonly orphans: number;
  /** Processes that live on: the kernel keeps them, or they are not ours to kill. */
  readonly left: number;
};

const lookMs = 25;
const helperEndMs = 1_000;

export type JobProcessesDeps = {
  readonly processes: ProcessTable;
  readonly clock: Clock;
  /** After KILL only the kernel can keep a process: one that hangs in a device, say. */
  readonly killWaitMs: number;
};

/**
 * All processes of one job: its process group and whatever left it by `setsid` or a double fork.
 * A timeout and a cancel reach each of them (invariant 11). On hosts where the agent may make
 * control groups (cgroup v2) the kernel knows them; elsewhere they are looked for by the mark in
 * their environment, and one that gave up mark, session and parent at once is not found.
 */
export class JobProcesses {
  readonly #deps: JobProcessesDeps;
  readonly #of: JobProcessesOf;
  readonly #orphans = new Set<string>();

  constructor(deps: JobProcessesDeps, of: JobProcessesOf) {
    this.#deps = deps;
    this.#of = of;
  }

  /** Whether anything of the job lives, itself or what it left behind. */
  isAlive(): boolean {
    const { processes } = this.#deps;
    const { pid, startTime } = this.#of;
    return (
      processes.startTimeOf(pid) === startTime ||
      this.#pidsInCgroup().length > 0 ||
      processes.isJobAlive(pid, startTime) ||
      membersOf(processes.scan(), this.#of).length > 0
    );
  }

  /**
   * TERM to all, KILL after `graceMs` to what is left; resolves when nothing lives, or some seconds
   * after KILL. `isGivenUp` ends the wait early: another agent goes on.
   */
  async end(graceMs: number, isGivenUp: () => boolean): Promise<Ended> {
    const isInCgroup = this.#pidsInCgroup().length > 0;
    const way = isInCgroup ? this.#cgroupWay() : this.#sweepWay();
    this.#deps.processes.signalGroup(this.#of.pid, 'SIGTERM');
    for (const row of await way.outsiders()) this.#deps.processes.signal(row.pid, 'SIGTERM');
    const isOver = await this.#until(graceMs, isGivenUp, () => !way.seemsAlive());
    if (isOver && (await way.left()) === 0) return this.#ended(isInCgroup, 0);
    return isGivenUp() ? this.#ended(isInCgroup, 0) : this.kill(isGivenUp);
  }

  /** KILL to all, without a word before. */
  async kill(isGivenUp: () => boolean): Promise<Ended> {
    const isInCgroup = this.#pidsInCgroup().length > 0;
    const way = isInCgroup ? this.#cgroupWay() : this.#sweepWay();
    await way.outsiders();
    let left = 0;
    await this.#until(this.#deps.killWaitMs, isGivenUp, async () => {
      await way.kill();
      left = await way.left();
      return left === 0;
    });
    return this.#ended(isInCgroup, left);
  }

  /** Gives the control group back, unless the script left something running in it. */
  release(): void {
    const { cgroup } = this.#of;
    if (cgroup === null || removeCgroup(cgroup)) return;
    // The helper tells the script's end a moment before its own.
    this.#deps.clock.after(helperEndMs, () => removeCgroup(cgroup));
  }

  #ended(isInCgroup: boolean, left: number): Ended {
    return { by: isInCgroup ? 'cgroup' : 'sweep', orphans: this.#orphans.size, left };
  }

  #pidsInCgroup(): readonly number[] {
    return this.#of.cgroup === null ? [] : pidsOfCgroup(this.#of.cgroup);
  }

  #cgroupWay(): Way {
    const { processes } = this.#deps;
    const { cgroup, pid } = this.#of;
    return {
      outsiders: async () => {
        const inside = processes.scan(this.#pidsInCgroup());
        return this.#noted(inside.filter((row) => row.group !== pid));
      },
      seemsAlive: () => this.#pidsInCgroup().length > 0,
      left: async () => this.#pidsInCgroup().length,
      kill: async () => {
        if (cgroup !== null && killCgroup(cgroup)) return;
        for (const each of this.#pidsInCgroup()) processes.signal(each, 'SIGKILL');
      },
    };
  }

  #sweepWay(): Way {
    const { processes } = this.#deps;
    const scan = async () => membersOf(await sharedScan(processes), this.#of);
    const outside = (rows: readonly ProcessRow[]) =>
      this.#noted(rows.filter((row) => row.group !== this.#of.pid));
    let known: readonly ProcessRow[] = [];
    return {
      outsiders: async () => {
        known = outside(await scan());
        return known;
      },
      seemsAlive: () =>
        processes.isGroupAlive(this.#of.pid) ||
        known.some(({ pid, startTime }) => processes.startTimeOf(pid) === startTime),
      // Twice: one that was being forked during the first look is there in the second.
      left: async () => (await scan()).length || (await scan()).length,
      kill: async () => {
        processes.signalGroup(this.#of.pid, 'SIGKILL');
        for (const { pid } of outside(await scan())) processes.signal(pid, 'SIGKILL');
      },
    };
  }

  #noted(rows: readonly ProcessRow[]): readonly ProcessRow[] {
    for (const { pid, startTime } of rows) this.#orphans.add(`${pid} ${startTime}`);
    return rows;
  }

  async #until(
    withinMs: number,
    isGivenUp: () => boolean,
    isDone: () => boolean | Promise<boolean>,
  ): Promise<boolean> {
    const { clock } = this.#deps;
    const until = clock.monotonic() + withinMs;
    for (;;) {
      if (isGivenUp()) return false;
      if (await isDone()) return true;
      if (clock.monotonic() > until) return false;
      await clock.sleep(lookMs);
    }
  }
}

/** One of the two ways in which the processes of a job are found. */
type Way = {
  /** Those that left the process group, noted as orphans. */
  outsiders(): Promise<readonly ProcessRow[]>;
  /** A cheap look; `left` is the thorough one. */
  seemsAlive(): boolean;
  left(): Promise<number>;
  kill(): Promise<void>;
};

/**
 * Those of `rows` that belong to a job: by mark, by the group and session its helper opened, and
 * the children of all of these. Never this process, and none that carries another job's mark.
 */
export function membersOf(
  rows: readonly ProcessRow[],
  of: { readonly jobId: string; readonly pid: number; readonly startTime: string },
): readonly ProcessRow[] {
  const leader = rows.find(({ pid }) => pid === of.pid);
  // The kernel gives a pid to no one else while its group or session lives.
  const isLeadersId = leader === undefined || leader.startTime === of.startTime;
  const candidates = rows.filter(
    ({ pid, jobId }) => pid !== process.pid && (jobId === null || jobId === of.jobId),
  );
  const members = new Set(
    candidates.filter(
      (row) =>
        row.jobId === of.jobId || (isLeadersId && (row.session === of.pid || row.group === of.pid)),
    ),
  );
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    const pids = new Set([...members].map(({ pid }) => pid));
    for (const row of candidates) if (pids.has(row.parent)) members.add(row);
  }
  return [...members];
}

const scans = new WeakMap<ProcessTable, Promise<readonly ProcessRow[]>>();

/** A look that begins after the call; jobs that end together share it. */
function sharedScan(processes: ProcessTable): Promise<readonly ProcessRow[]> {
  const waiting = scans.get(processes);
  if (waiting !== undefined) return waiting;
  const scan = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    scans.delete(processes);
    return processes.scan();
  });
  scans.set(processes, scan);
  return scan;
}

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { RunFile as RunFileContent } from '../../contracts/run-file.ts';
import { isSame, startTimeOf } from '../setup/process.mjs';
import { StartFailure } from './failure.ts';

/** What runs where (contract), and what tells this `npm start` from a later process of its pid. */
type RunRecord = RunFileContent & {
  /** Start time of `pid`; null where the system has none. */
  readonly startTime: string | null;
};

/** The run file while this process owns it. */
export class RunFile {
  readonly #path: string;
  #record: RunRecord;

  /**
   * Takes the run file, unless a running `npm start` has it: then throws a `StartFailure` that
   * names it. Of two that start at the same moment one gets it.
   */
  constructor(path: string, record: Omit<RunRecord, 'pid' | 'startTime' | 'pids'>) {
    this.#path = path;
    const { pid } = process;
    this.#record = { pid, startTime: startTimeOf(pid), pids: {}, ...record };
    const temporary = this.#writeBeside();
    try {
      while (!placed(temporary, path)) {
        const owner = runningStart(path);
        if (owner !== null) throw alreadyRunning(owner);
        takeAway(path);
      }
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Notes that the process `name` runs as `pid`, or not at all. */
  note(name: string, pid: number | null): void {
    const { [name]: _, ...others } = this.#record.pids;
    const pids = pid === null ? others : { ...others, [name]: pid };
    this.#record = { ...this.#record, pids };
    renameSync(this.#writeBeside(), this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  #writeBeside(): string {
    const temporary = `${this.#path}.${process.pid}`;
    writeFileSync(temporary, `${JSON.stringify(this.#record, null, 2)}\n`, { mode: 0o600 });
    return temporary;
  }
}

/** The record of the `npm start` that runs now, or null. */
export function runningStart(path: string): RunRecord | null {
  const record = readRunFile(path);
  const isRunning =
    record !== null && isSame({ pid: record.pid, startTime: record.startTime ?? null });
  return isRunning ? record : null;
}

/** What the run file says, or null if there is none that can be read. */
export function readRunFile(path: string): RunRecord | null {
  try {
    // Only an `npm start` of this clone writes it, whole.
    return JSON.parse(readFileSync(path, 'utf8')) as RunRecord;
  } catch {
    return null;
  }
}

/** Removes the file of an `npm start` that is gone, and no other that took its place meanwhile. */
function takeAway(path: string): void {
  const aside = `${path}.${process.pid}.old`;
  try {
    renameSync(path, aside);
  } catch {
    return; // Somebody else was quicker.
  }
  if (runningStart(aside) !== null) placed(aside, path);
  rmSync(aside, { force: true });
}

function placed(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

const alreadyRunning = (owner: RunRecord): StartFailure =>
  new StartFailure(
    `Fixpoint runs already in this clone (pid ${owner.pid}): api ${owner.api.url}, Temporal UI ${owner.temporal.ui}`,
    `use that one, or end it first: kill ${owner.pid}`,
  );

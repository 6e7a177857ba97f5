import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../platform/clock.ts';
import { isSame, startTimeOf } from '../setup/process.mjs';

/** A process that can be told from a later one with the same pid. */
export type Identified = { readonly pid: number; readonly startTime: string | null };

/** The process `pid` as it is now. */
export const identified = (pid: number): Identified => ({ pid, startTime: startTimeOf(pid) });

const lookMs = 50;

/**
 * Ends processes and their groups: TERM, after `graceMs` KILL. Resolves when all are gone, or at
 * the latest a second after the KILL. A pid that belongs to another process by now is left alone.
 */
export async function endProcesses(
  clock: Clock,
  processes: readonly Identified[],
  graceMs: number,
): Promise<void> {
  const alive = () => processes.filter(isSame);
  for (const [signal, ms] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 1_000],
  ] as const) {
    for (const process of alive()) signalGroup(process.pid, signal);
    const until = clock.monotonic() + ms;
    while (alive().length > 0 && clock.monotonic() < until) await clock.sleep(lookMs);
    if (alive().length === 0) return;
  }
}

/** Every part leads a group of its own; what is no leader is signalled alone. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // No such group, or gone meanwhile: the next target, or nothing.
    }
  }
}

/** The variable that marks every process of an embedded product, and what inherits from it. */
export const markName = 'FIXPOINT_EMBEDDED';

/** The beginning of every mark of the product in `state`, whichever `npm start` it belongs to. */
export const anyMarkOf = (state: string): string => `${state}#`;

/** The mark of what this very process starts. */
export const ownMarkOf = (state: string): string =>
  `${anyMarkOf(state)}${process.pid}.${startTimeOf(process.pid)};`;

/**
 * All processes whose environment carries a mark that begins with `mark`: also those that a job or
 * a demo service started and left behind, of which no one keeps a list.
 */
export function markedProcesses(mark: string): Identified[] {
  const wanted = Buffer.from(`${markName}=${mark}`);
  const found: Identified[] = [];
  for (const name of listProcesses()) {
    const pid = Number(name);
    if (pid === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`);
      const at = environment.indexOf(wanted);
      if (at === 0 || (at > 0 && environment[at - 1] === 0)) found.push(identified(pid));
    } catch {
      // Gone meanwhile, or not ours to look at.
    }
  }
  return found;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Ends every marked process but `spared`, and those that they start while ending. */
export async function endMarked(
  clock: Clock,
  mark: string,
  options: { readonly graceMs: number; readonly spared?: readonly number[] },
): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const found = markedProcesses(mark).filter(({ pid }) => !options.spared?.includes(pid));
    if (found.length === 0) return;
    await endProcesses(clock, found, round === 0 ? options.graceMs : 0);
  }
}

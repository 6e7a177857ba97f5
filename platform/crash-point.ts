import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Named places just after a persistence boundary at which a test can kill the process, as a power
 * cut would. Unarmed, a crash point is one comparison.
 */
export type CrashPoint =
  | 'after-append'
  | 'after-signal'
  | 'after-submit'
  | 'after-intent'
  | 'while-running'
  | 'before-callback';

/** Kills this process at `point` if it is the armed one. */
export type CrashPoints = (point: CrashPoint) => void;

export const noCrashPoints: CrashPoints = () => {};

/**
 * Crash points armed by `FIXPOINT_CRASH_POINT`, in one of two ways. `point@marker file`: the first
 * process that reaches the point creates the marker and dies by SIGKILL; later ones find it and go
 * on. A folder: whoever reaches a point for which the folder holds a file `{program}.{point}`
 * takes the file away and dies, so that a test can arm a running product again and again.
 */
export function armedCrashPoints(armed: string | undefined, program: string): CrashPoints {
  if (armed === undefined || armed === '') return noCrashPoints;
  const at = armed.indexOf('@');
  const [name, marker] = [armed.slice(0, at), armed.slice(at + 1)];
  return (point) => {
    const mine = at < 0 ? taken(armed, `${program}.${point}`) : point === name && created(marker);
    if (mine) process.kill(process.pid, 'SIGKILL');
  };
}

function created(marker: string): boolean {
  try {
    writeFileSync(marker, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    // The marker exists: an earlier process died here already, which is all that was asked for.
    return false;
  }
}

function taken(folder: string, name: string): boolean {
  try {
    renameSync(join(folder, name), join(folder, `${name}.died`));
    return true;
  } catch {
    return false; // Not armed, or another process took it first.
  }
}

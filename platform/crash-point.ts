import { writeFileSync } from 'node:fs';

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
 * Crash points armed by `name@marker file` (from `FIXPOINT_CRASH_POINT`): the first process that
 * reaches the point creates the marker and dies by SIGKILL; later ones find the marker and go on,
 * so that a restarted part survives.
 */
export function armedCrashPoints(armed: string | undefined): CrashPoints {
  if (armed === undefined || armed === '') return noCrashPoints;
  const at = armed.indexOf('@');
  const name = armed.slice(0, at);
  const marker = armed.slice(at + 1);
  return (point) => {
    if (point !== name) return;
    try {
      writeFileSync(marker, String(process.pid), { flag: 'wx' });
    } catch {
      // The marker exists: an earlier process died here already, which is all that was asked for.
      return;
    }
    process.kill(process.pid, 'SIGKILL');
  };
}

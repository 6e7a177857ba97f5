// Who a process is. A pid alone is not enough: the system gives it away again.

import { readFileSync } from 'node:fs';

/**
 * When the process started, in ticks since boot (Linux); null if there is no such process or the
 * system does not tell. A zombie counts as gone: it only waits for its parent to look.
 */
export function startTimeOf(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

/** Whether a process of this pid exists, whoever it belongs to. */
export function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Whether the process `{pid, startTime}` is still the one that was recorded. */
export function isSame(recorded) {
  if (!isAlive(recorded.pid)) return false;
  const startTime = startTimeOf(recorded.pid);
  // Where the system has no /proc, the pid has to do.
  return startTime === recorded.startTime || (recorded.startTime === null && startTime === null);
}

import { constants } from 'node:os';
import type { JobReport } from '../contracts/task.ts';
import type { OutputSizes } from './job-folder.ts';
import type { JournalEntry } from './job-journal.ts';
import type { Ended } from './job-processes.ts';
import type { Intent, StopReason } from './journal-record.ts';

type Verdict = Pick<JobReport, 'state' | 'reason' | 'exitCode' | 'signal'>;

/** What is known of the end of a script. */
export type Ending =
  /** The status as a shell tells it: 128 + n for signal n. */
  | { readonly kind: 'exit'; readonly status: number; readonly at: number }
  /** Nothing was run: the helper could not lay out its pipes. */
  | { readonly kind: 'not_started'; readonly at: number }
  /** The helper was killed before it could write a status, while this agent looked on. */
  | { readonly kind: 'killed'; readonly signal: string | null; readonly at: number }
  /** Nothing of it lives, and no one saw the end. */
  | { readonly kind: 'lost'; readonly reason: 'agent_restarted' | 'rebooted'; readonly at: number }
  /** The reboot that the script was for; in time if the agent was back within the time limit. */
  | { readonly kind: 'reboot'; readonly isInTime: boolean; readonly at: number };

const stopVerdicts: Record<StopReason, Pick<JobReport, 'state' | 'reason'>> = {
  timeout: { state: 'timed_out', reason: 'job_timeout' },
  overflow: { state: 'failed', reason: 'output_overflow' },
  operator: { state: 'cancelled', reason: 'operator' },
  resolved: { state: 'cancelled', reason: 'resolved' },
  stop: { state: 'cancelled', reason: 'stop' },
};

/**
 * The report of a job that ended. A stop that was journalled before the end decides, whatever the
 * script made of the signal (rule R9).
 */
export function outcomeOf(of: {
  readonly stop: JournalEntry['stop'];
  readonly ending: Ending;
  readonly startedAt: number | null;
  readonly sizes: OutputSizes;
  readonly isCut: boolean;
  /** What an operator should know beside the reason. */
  readonly notes: readonly (string | null)[];
}): JobReport {
  const notes = of.notes.filter((note) => note !== null);
  return {
    ...verdictOf(of.stop, of.ending),
    startedAt: of.startedAt,
    finishedAt: of.ending.at,
    stdoutBytes: of.sizes.stdout,
    stderrBytes: of.sizes.stderr,
    ...(of.isCut ? { outputCut: true } : {}),
    note: notes.length === 0 ? null : notes.join('; '),
  };
}

/** Which of the two ways ended a job, and what it met outside the job's process group. */
export function endedNote(ended: Ended | null): string | null {
  if (ended === null) return null;
  const orphans = ended.orphans === 0 ? '' : `, ${counted(ended.orphans, 'orphan')} with it`;
  const left = ended.left === 0 ? '' : `, but ${counted(ended.left, 'process', 'es')} could not be`;
  return `killed by ${ended.by}${orphans}${left}`;
}

const counted = (count: number, noun: string, plural = 's'): string =>
  `${count} ${noun}${count === 1 ? '' : plural}`;

/** Signals by which a host that shuts down ends its processes, as a shell tells them. */
const shutdownStatuses: ReadonlySet<number> = new Set(
  [constants.signals.SIGHUP, constants.signals.SIGTERM, constants.signals.SIGKILL].map(
    (signal) => 128 + signal,
  ),
);

/**
 * Whether a script that ended so has asked for the reboot that is its purpose, or fell to it, so
 * that its outcome is told by the host's next boot (rule R11). Any other status is a failure.
 */
export const awaitsReboot = (intent: Pick<Intent, 'expectReboot'>, status: number): boolean =>
  intent.expectReboot === true && (status === 0 || shutdownStatuses.has(status));

function verdictOf(stop: StopReason | undefined, ending: Ending): Verdict {
  const plain = { exitCode: null, signal: null };
  if (ending.kind === 'lost' && ending.reason === 'rebooted') {
    return { state: 'unknown', reason: 'rebooted', ...plain };
  }
  if (stop !== undefined) return { ...stopVerdicts[stop], ...plain };
  switch (ending.kind) {
    case 'reboot':
      return ending.isInTime
        ? { state: 'succeeded', reason: null, ...plain }
        : { ...stopVerdicts.timeout, ...plain };
    case 'lost':
      return { state: 'unknown', reason: ending.reason, ...plain };
    case 'not_started':
      return { state: 'failed', reason: 'spawn_failed', ...plain };
    case 'killed':
      return { state: 'failed', reason: 'signal', exitCode: null, signal: ending.signal };
    case 'exit': {
      if (ending.status === 0) return { state: 'succeeded', reason: null, ...plain, exitCode: 0 };
      const signal = signalOf(ending.status);
      const reason = signal === null ? 'exit_code' : 'signal';
      return { state: 'failed', reason, exitCode: ending.status, signal };
    }
  }
}

/** The signal that a shell's status stands for, or null if it is an ordinary status. */
function signalOf(status: number): string | null {
  const found = Object.entries(constants.signals).find(([, value]) => value + 128 === status);
  return found?.[0] ?? null;
}

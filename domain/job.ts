import type { FinalJobState, JobReport, JobState } from '../contracts/task.ts';

/** How retries see a final state (design 5.4). `never` is not tried again by anyone. */
export type RetryClass = 'failed' | 'timed_out' | 'unreachable' | 'unknown' | 'never';

type StateRow = {
  readonly letter: string;
  readonly retry: RetryClass;
  readonly bluekingStatus: number;
};

/** The one table of final states: letter (names 5), retry class, BlueKing's host status. */
export const finalStates = {
  succeeded: { letter: 's', retry: 'never', bluekingStatus: 9 },
  failed: { letter: 'f', retry: 'failed', bluekingStatus: 104 },
  timed_out: { letter: 't', retry: 'timed_out', bluekingStatus: 102 },
  cancelled: { letter: 'c', retry: 'never', bluekingStatus: 103 },
  refused: { letter: 'r', retry: 'never', bluekingStatus: 12 },
  expired: { letter: 'e', retry: 'unreachable', bluekingStatus: 13 },
  unreachable: { letter: 'x', retry: 'unreachable', bluekingStatus: 310 },
  not_enrolled: { letter: 'n', retry: 'never', bluekingStatus: 18 },
  unknown: { letter: 'u', retry: 'unknown', bluekingStatus: 500 },
} as const satisfies Record<FinalJobState, StateRow>;

/** Letters that are no job's state: `p` succeeded in an earlier attempt, `k` skipped, `h` never admitted. */
export type HostLetter = (typeof finalStates)[FinalJobState]['letter'] | 'p' | 'k' | 'h' | '.';

const order: Record<string, number> = { queued: 0, dispatched: 1, acked: 2, running: 3 };

/** Whether `state` is final: it never changes again. */
export const isFinal = (state: JobState): state is FinalJobState =>
  Object.hasOwn(finalStates, state);

/** A job's letter; `.` while it has not ended. */
export const letterOf = (state: JobState): string =>
  isFinal(state) ? finalStates[state].letter : '.';

/** Forward only: a final state stays, and a running job is never queued again (rule R5). */
export function mayFollow(from: JobState, to: JobState): boolean {
  if (isFinal(from)) return false;
  if (isFinal(to)) return true;
  return (order[to] ?? 0) > (order[from] ?? 0);
}

const unreachableRefusals: ReadonlySet<string> = new Set(['no_lease', 'busy', 'clock_unknown']);

/** The retry class of an outcome. Three refusals say "not now" rather than "not this" (design 5.4). */
export function retryClassOf(state: FinalJobState, reason: string | null): RetryClass {
  if (state === 'refused' && reason !== null && unreachableRefusals.has(reason))
    return 'unreachable';
  return finalStates[state].retry;
}

/** Whether a refusal says "not now": nothing ran, and the host may be asked again. */
export const isRefusedForNow = (state: JobState, reason: string | null): boolean =>
  state === 'refused' && retryClassOf(state, reason) === 'unreachable';

/**
 * The exit status by which a step's probe says that the step's effect is not there, so that the
 * step may run again. A number of its own: sh, bash and python3 end with 1, 2 or more than 119 when
 * a script is broken, and a broken probe must never let a step run twice (invariant 2).
 */
export const notThereStatus = 10;

/** One line for the operator per reason: what it means and what to do. */
export const reasonHints: Readonly<Record<string, string>> = {
  exit_code:
    'the script ended with a status other than 0; read its output with `fixpoint task output`',
  signal:
    'the script was killed by a signal that its agent did not send; look at the host (out of memory, a shutdown?)',
  output_overflow:
    'the script wrote more than its output limit and was killed; write to a file instead',
  spawn_failed: 'the script could not be started; is the interpreter installed on the host?',
  job_timeout: 'the step timeout passed; the whole process group was killed on the host',
  operator: 'cancelled by an operator',
  resolved: 'cancelled because the alert resolved',
  stop: 'cancelled because the kill switch was used',
  bad_signature:
    'the job is not signed by a key that the agent trusts, or was changed on its way; nothing ran. See its note',
  wrong_target: 'the job was made for another agent; nothing ran',
  wrong_journal:
    'the job was made for another journal of this agent: it was re-installed; nothing ran',
  digest_mismatch: 'the script is not the one that was planned; nothing ran',
  clock_unknown: 'the agent has not heard the gateway’s time yet; nothing ran, it is tried again',
  no_lease: 'the agent had no start lease: its link was too slow or broken; nothing ran',
  stopped: 'the kill switch is on, or the host has a local stop file; see `fixpoint control show`',
  busy: 'the agent runs as many jobs as it may; nothing ran',
  previous_attempt_alive: 'an earlier attempt of this step still runs on the host; nothing ran',
  no_such_user: 'the host has no user of the name that the step runs as; nothing ran',
  local_policy:
    'the host does not let this job run so: see the note, and `runAs` in its agent.yaml; nothing ran',
  no_such_secret: 'the host has no secret of that name in its secrets folder; nothing ran',
  disk_full: 'the agent could not write its journal: the disk is full; nothing ran',
  unsupported: 'the agent is too old for this job; nothing ran',
  invalid_job: 'the job did not pass the agent’s checks; nothing ran',
  not_after: 'too late: the job queued longer than it may; nothing ran',
  offline: 'the agent was offline for as long as the job could queue; nothing ran',
  locked:
    'the agent was locked for as long as the job could queue; nothing ran. `fixpoint agent show` says why',
  not_enrolled: 'no agent of that id is enrolled; nothing ran',
  rebooted: 'the host rebooted while the script ran; whether it finished cannot be known',
  agent_restarted:
    'the agent died while the script ran and its process is gone; the outcome cannot be known',
  journal_lost: 'the agent’s journal is gone; whether the script ran cannot be known',
  deadline: 'no report came by the batch deadline; whether the script ran cannot be known',
};

/** A report with nothing but a state and a reason. */
export const plainReport = (state: JobState, reason: string | null): JobReport => ({
  state,
  reason,
  exitCode: null,
  signal: null,
  startedAt: null,
  finishedAt: null,
  stdoutBytes: 0,
  stderrBytes: 0,
  note: null,
});

import type { HostRecords, Start } from './host-records.ts';
import type { Run } from './repair-histories.ts';

const endings = ['verified', 'resolved', 'failed', 'rolled_back', 'cancelled', 'superseded'];
const namedEnds: ReadonlySet<string> = new Set([...endings, 'expired', 'held']);

/** The starts on its host that a letter allows; every other letter allows one at most. */
const startsOfLetter: Readonly<Record<string, readonly number[]>> = {
  s: [1],
  t: [1],
  x: [0],
  e: [0],
  r: [0],
  h: [0],
  k: [0],
  n: [0],
};

type Result = {
  readonly state: string;
  readonly letters: Readonly<Record<string, string>>;
};

/**
 * What repairs say, against what hosts show: every repair ends in a named state, and no letter of a
 * host promises another number of starts than the host's own evidence has.
 */
export function repairViolations(runs: readonly Run[], hosts: readonly HostRecords[]): string[] {
  const starts = Map.groupBy(
    hosts.flatMap((host) => host.starts),
    ({ jobId }) => jobId,
  );
  const repairs = runs.filter(({ type }) => type === 'remediation');
  return [
    ...runs.flatMap(({ workflowId, taskFailures }) =>
      taskFailures.map((failure) => `${workflowId} could not go on: ${failure}`),
    ),
    ...runs.flatMap(endViolations),
    ...repairs.flatMap((run) => letterViolations(run, starts, hosts)),
    ...repairs.flatMap(proofViolations),
    ...repairs.flatMap((run) => untoldMailbox(run, runs)),
    ...unaskedStarts(repairs, starts),
  ];
}

function endViolations({ type, workflowId, status, result }: Run): string[] {
  if (type !== 'remediation') {
    const isFine = ['RUNNING', 'COMPLETED', 'CONTINUED_AS_NEW'].includes(status);
    return isFine ? [] : [`${workflowId} is ${status.toLowerCase()}`];
  }
  if (status === 'CONTINUED_AS_NEW') return [];
  if (status !== 'COMPLETED') return [`${workflowId} did not end by itself: it is ${status}`];
  const { state } = result as Result; // A completed repair returns it.
  return namedEnds.has(state) ? [] : [`${workflowId} ended in no named state: ${state}`];
}

function letterViolations(
  run: Run,
  starts: ReadonlyMap<string, readonly Start[]>,
  hosts: readonly HostRecords[],
): string[] {
  const outcomes = new Map(
    hosts.flatMap(({ journal }) =>
      journal.flatMap(({ kind, jobId, state }) => (kind === 'finished' ? [[jobId, state]] : [])),
    ),
  );
  return run.attempts.flatMap(({ key, jobs, letters }) =>
    jobs.flatMap(({ jobId, agentId }, at) => {
      const letter = letters?.charAt(at) ?? 'u';
      const count = starts.get(jobId)?.length ?? 0;
      const allowed = startsOfLetter[letter] ?? [0, 1];
      const violations: string[] = [];
      if (!allowed.includes(count)) {
        violations.push(`${key} on ${agentId} is “${letter}”, and the host shows ${count} starts`);
      }
      const outcome = outcomes.get(jobId);
      if (letter === 's' && outcome !== 'succeeded') {
        violations.push(`${key} on ${agentId} is “s”, and the journal says ${outcome}`);
      }
      return violations;
    }),
  );
}

/** Verified means that a probe of this repair came back with success from every host (invariant 12). */
function proofViolations({ workflowId, result, attempts }: Run): string[] {
  const { state, letters } = (result ?? { state: '', letters: {} }) as Result;
  if (state !== 'verified') return [];
  const isProven =
    /^s+$/.test(letters['verify'] ?? '') &&
    attempts.some((attempt) => attempt.key.includes('/verify/') && attempt.letters?.includes('s'));
  return isProven ? [] : [`${workflowId} is verified without a probe that says so`];
}

/** A mailbox that is never told of an end never repairs again. */
function untoldMailbox({ workflowId, input, status }: Run, runs: readonly Run[]): string[] {
  if (status !== 'COMPLETED') return [];
  const { mailboxId } = input as { mailboxId: string }; // Of every repair's input.
  const isTold = runs.some(
    (run) =>
      run.workflowId === mailboxId &&
      run.signals.some(
        (signal) =>
          signal.name === 'remediationEnded' &&
          (signal.input as { remediationId: string }).remediationId === workflowId,
      ),
  );
  return isTold ? [] : [`${mailboxId} was not told that ${workflowId} ended`];
}

function unaskedStarts(
  repairs: readonly Run[],
  starts: ReadonlyMap<string, readonly Start[]>,
): string[] {
  const asked = new Set(
    repairs.flatMap(({ attempts }) =>
      attempts.flatMap(({ jobs }) => jobs.map(({ jobId }) => jobId)),
    ),
  );
  return [...starts].flatMap(([jobId, [start]]) =>
    asked.has(jobId) ? [] : [`job ${jobId} of ${start?.case} started, and no repair asked for it`],
  );
}

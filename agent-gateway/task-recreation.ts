import { jobText } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { CallbackTarget, Job } from '../contracts/task.ts';
import { payloadTypes } from '../contracts/trust.ts';
import { jobIdOf, taskIdOf } from '../domain/ids.ts';
import { sha256 } from '../platform/digest.ts';
import type { Trust } from '../platform/trust-bundle.ts';

/** What one job tells of its task. Times are Unix milliseconds. */
export type Recreation = {
  readonly taskId: string;
  readonly key: string;
  readonly agentId: string;
  readonly size: number;
  /** The job's place in the submit. */
  readonly position: number;
  readonly notAfter: number;
  /** When the job has ended at the latest. */
  readonly endsAt: number;
  readonly outputBytes: number;
  readonly callback: CallbackTarget | null;
};

type Recreated =
  | { readonly kind: 'task'; readonly task: Recreation }
  | {
      readonly kind: 'refused';
      readonly reason: 'no_text' | 'bad_signature' | 'bad_job' | 'too_old';
    };

const refused = (reason: Extract<Recreated, { kind: 'refused' }>['reason']): Recreated => ({
  kind: 'refused',
  reason,
});

/**
 * The task that a job's own text speaks of (rule R6). The text is believed only if a trusted key has
 * signed it and it is the very job that was asked for, because whatever an agent says of a task
 * would otherwise become one. A job whose end nobody waits for any more makes none. Never throws.
 */
export function recreationOf(
  frame: { readonly jobId: string; readonly job: string | null; readonly signature: string | null },
  of: {
    readonly trust: Trust;
    readonly now: number;
    /** What ended longer ago makes no task. */
    readonly keptMs: number;
  },
): Recreated {
  if (frame.job === null || frame.signature === null) return refused('no_text');
  const job = jobIn(frame.job);
  if (job?.keyId === undefined) return refused('bad_job');
  const { keyId } = job;
  const payload = Buffer.from(frame.job);
  const signed = { keyId, payloadType: payloadTypes.job, payload, signature: frame.signature };
  if (of.trust.judge(signed) !== 'fits') return refused('bad_signature');
  const { key, size, position, callback } = job.task;
  const isThisJob = jobIdOf(job.taskId, job.agentId) === frame.jobId;
  if (!isThisJob || key === undefined || position === undefined) return refused('bad_job');
  const isPlace = position < size && size <= limits.targetsMax;
  if (!isPlace || taskIdOf(key, sha256) !== job.taskId) return refused('bad_job');
  const endsAt = job.notAfter + job.limits.timeoutMs;
  if (endsAt + of.keptMs < of.now) return refused('too_old');
  return {
    kind: 'task',
    task: {
      ...{ taskId: job.taskId, key, agentId: job.agentId, size, position, callback },
      ...{ notAfter: job.notAfter, endsAt, outputBytes: job.limits.outputBytes },
    },
  };
}

function jobIn(text: string): Job | null {
  try {
    return jobText.parse(JSON.parse(text));
  } catch {
    return null; // Whatever it is, it makes no task.
  }
}

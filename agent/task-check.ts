import type { z } from 'zod';
import { jobText } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Job, JobReport } from '../contracts/task.ts';
import { jobIdOf } from '../domain/ids.ts';
import { plainReport } from '../domain/job.ts';

/** The part of a dispatch that the checks look at. */
export type Order = {
  readonly jobId: string;
  readonly job: string;
  readonly signature?: string | undefined;
  readonly content: string;
};

/** A job's exact text, the key that it names, if any, and the signature that came with it. */
export type SignedText = {
  readonly text: string;
  readonly keyId: string | null;
  readonly signature: string | undefined;
};

export type ReadOrder =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'refused'; readonly report: JobReport };

/** What the agent knows at the moment of a check. */
export type Readiness = {
  /** Unix milliseconds by the gateway's clock; null before its first pong. */
  readonly gatewayTime: number | null;
  /** Unix milliseconds by this host's own clock, which may be wrong. */
  readonly hostTime: number;
  readonly isStopped: boolean;
  readonly hasLease: boolean;
  /** Another attempt of the job's slot runs on this host. */
  readonly isSlotAlive: boolean;
  readonly jobsRunning: number;
  readonly hasSecrets: boolean;
  /** Why this host does not run the job as the user it names, or null. */
  readonly userRefusal: JobReport | null;
};

export type Verdict =
  | { readonly kind: 'start' }
  | { readonly kind: 'ended'; readonly report: JobReport };

/** Who reads an order, whom it believes, and how it names a script's content. */
export type Reader = {
  readonly agentId: string;
  readonly journalId: string;
  /** Why the text must not be believed, in words for the operator, or null. */
  readonly distrust: (signed: SignedText) => string | null;
  readonly digestOf: (content: string) => string;
};

const hostClockNote =
  'by this host’s own clock the job has been over for more than an hour; the gateway says otherwise';
const refused = (reason: string) => plainReport('refused', reason);

/**
 * First half of design 5.6's order: is this signed by a key I trust, a job, for me, for my journal,
 * with the script that was planned? Nothing of a text that is not is looked at beyond the name of
 * its key. Never throws.
 */
export function readOrder(order: Order, me: Reader): ReadOrder {
  const value = parsedJson(order.job);
  const note = me.distrust({
    text: order.job,
    keyId: keyIdIn(value),
    signature: order.signature,
  });
  if (note !== null) return { kind: 'refused', report: { ...refused('bad_signature'), note } };
  const parsed = parseJob(value);
  if (!parsed.success) return { kind: 'refused', report: parsed.report };
  const { job } = parsed;
  if (jobIdOf(job.taskId, job.agentId) !== order.jobId || hasNul(job)) {
    return { kind: 'refused', report: refused('invalid_job') };
  }
  if (job.agentId !== me.agentId) return { kind: 'refused', report: refused('wrong_target') };
  if (job.journalId !== me.journalId) return { kind: 'refused', report: refused('wrong_journal') };
  if (me.digestOf(order.content) !== job.contentDigest) {
    return { kind: 'refused', report: refused('digest_mismatch') };
  }
  return { kind: 'job', job };
}

/**
 * Second half, of a job that the journal does not know: it must be in time, allowed, leased, alone in
 * its slot, and have its user, a place and its secrets. Pure.
 */
export function checkStart(job: Pick<Job, 'notAfter'>, now: Readiness): Verdict {
  if (now.gatewayTime !== null && now.gatewayTime > job.notAfter) {
    return { kind: 'ended', report: plainReport('expired', 'not_after') };
  }
  // The gateway's word counts, but not without end: it must not replay what is long over (rule R10).
  if (now.hostTime - job.notAfter > limits.hostClockLeewayMs) {
    return {
      kind: 'ended',
      report: { ...plainReport('expired', 'not_after'), note: hostClockNote },
    };
  }
  if (now.isStopped) return { kind: 'ended', report: refused('stopped') };
  if (now.gatewayTime === null) return { kind: 'ended', report: refused('clock_unknown') };
  if (!now.hasLease) return { kind: 'ended', report: refused('no_lease') };
  if (now.isSlotAlive) return { kind: 'ended', report: refused('previous_attempt_alive') };
  if (now.userRefusal !== null) return { kind: 'ended', report: now.userRefusal };
  if (now.jobsRunning >= limits.agentJobsMax) return { kind: 'ended', report: refused('busy') };
  if (!now.hasSecrets) return { kind: 'ended', report: refused('no_such_secret') };
  return { kind: 'start' };
}

type Parsed =
  | { readonly success: true; readonly job: z.infer<typeof jobText> }
  | { readonly success: false; readonly report: JobReport };

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // No key is named by it, so nobody signed it.
  }
}

function keyIdIn(value: unknown): string | null {
  const isNamed = typeof value === 'object' && value !== null && 'keyId' in value;
  return isNamed && typeof value.keyId === 'string' ? value.keyId : null;
}

function parseJob(value: unknown): Parsed {
  const parsed = jobText.safeParse(value);
  if (parsed.success) return { success: true, job: parsed.data };
  const isOther = parsed.error.issues.some(
    ({ path }) => path[0] === 'version' || path[0] === 'action',
  );
  return { success: false, report: refused(isOther ? 'unsupported' : 'invalid_job') };
}

/** No process can be given a NUL byte as argument or environment. */
const hasNul = (job: Job): boolean =>
  [...job.args, ...Object.values(job.env), job.cwd ?? ''].some((text) => text.includes('\0'));

import { z } from 'zod';
import { limits } from './limits.ts';

/** 12 characters Crockford base32, lower case (names 2). */
export const agentId = z.string().regex(/^[0-9a-hjkmnp-tv-z]{12}$/);
/** The random id of an agent's journal; it lives and dies with the agent's key (rule R16). */
export const journalId = z.string().regex(/^[0-9a-hjkmnp-tv-z]{26}$/);
export const taskId = z.string().regex(/^t[a-z2-7]{25}$/);
export const jobIdForm = /^t[a-z2-7]{25}\.[0-9a-hjkmnp-tv-z]{12}$/;
export const jobId = z.string().regex(jobIdForm);
/** What a submitter names its task by. Printable ASCII; our own are `{remediationId}/{step}/{batch}/{attempt}`. */
export const idempotencyKey = z
  .string()
  .min(8)
  .max(500)
  .regex(/^[\x21-\x7e]+$/);

/**
 * The name of a signing key. Ours are 16 hex digits of its digest; another signer may have names of
 * its own. Printable ASCII, so that it reads the same in a log.
 */
export const keyId = z
  .string()
  .max(128)
  .regex(/^[\x21-\x7e]+$/);
/** An Ed25519 signature of 64 bytes in base64, in its one canonical spelling. */
export const signatureForm = /^[A-Za-z0-9+/]{85}[AQgw]==$/;
export const signature = z.string().regex(signatureForm);
/** A user of a host by name; never a number, so that no name service is passed by. */
export const userName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$/);

const value = z.string().max(limits.scriptValueBytes);
const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/);

/**
 * What the process finds on stdin. A secret is a name: the value lies on the host and is read
 * there, so it never travels (invariant 10).
 */
export const stdin = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({ kind: z.literal('text'), text: z.string().max(limits.scriptStdinBytes) }),
  z.object({ kind: z.literal('secret'), secret: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/) }),
]);
export type Stdin = z.infer<typeof stdin>;

export const interpreter = z.enum(['sh', 'bash', 'python3']);

export const scriptAction = z.object({
  kind: z.literal('script'),
  interpreter,
  content: z.string().min(1).max(limits.scriptBytes),
  args: z.array(value).max(limits.scriptArgsMax),
  env: z.record(environmentName, value),
  /** Environment variable → name of a secret on the host. */
  secretEnv: z.record(environmentName, z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/)),
  stdin,
  cwd: z.string().startsWith('/').max(4096).nullable(),
  /** The host's user that the script runs as; absent: the agent's own. */
  runAs: userName.optional(),
});
export type ScriptAction = z.infer<typeof scriptAction>;

/**
 * A host of a task. `args`, `env` and `stdin`, where given, replace the action's own for this host.
 * `signature` is over this host's job by the task's `keyId`; the gateway hands it on as it is.
 */
export const taskTarget = z.object({
  agentId,
  journalId,
  args: z.array(value).max(limits.scriptArgsMax).optional(),
  env: z.record(environmentName, value).optional(),
  stdin: stdin.optional(),
  signature: signature.optional(),
});
export type TaskTarget = z.infer<typeof taskTarget>;

export const jobLimits = z.object({
  timeoutMs: z
    .int()
    .min(100)
    .max(7 * 86_400_000),
  outputBytes: z.int().min(0).max(limits.outputBytes),
});
export type JobLimits = z.infer<typeof jobLimits>;

/** Where the gateway reports a task's end (design 5.9). `reference` comes back as it was given. */
export const callbackTarget = z.object({
  url: z.url().max(2048),
  reference: z.string().max(1000),
});
export type CallbackTarget = z.infer<typeof callbackTarget>;

/**
 * `POST /v1/tasks`, with the header `Idempotency-Key`: one attempt at one batch. Everything in it
 * is computed by the submitter, so that a repeated submit has the same body (rule X1); only `keyId`
 * and the signatures may differ, as they do when a key is replaced between two tries. Times are Unix
 * milliseconds of the submitter's clock.
 */
export const taskSubmit = z.object({
  version: z.literal(1),
  /** `{remediationId}/{step}`: two attempts of one slot never run on a host together (rule X4). */
  slot: z.string().min(1).max(500),
  attempt: z.int().min(1).max(1_000_000),
  action: scriptAction,
  targets: z.array(taskTarget).min(1).max(limits.targetsMax),
  limits: jobLimits,
  /** Nothing starts after this. */
  notAfter: z.int().positive(),
  /** Whatever has not reported by then is `unknown`. */
  deadline: z.int().positive(),
  callback: callbackTarget.nullable(),
  /** The key that signed the jobs. Without one no agent runs them. */
  keyId: keyId.optional(),
  /** The script's purpose is a reboot: the job succeeds when the host is back (rule R11). */
  expectReboot: z.literal(true).optional(),
});
export type TaskSubmit = z.infer<typeof taskSubmit>;

/**
 * One job: what one host is told to do. Its exact bytes are `jobBytes()` of `domain/job-bytes.ts`,
 * and the signature is over them (design 5.6). `content` is not part of it, its digest is.
 */
export const job = z.object({
  /** 2: it has `runAs` or `expectReboot`, and an agent that knows neither must not run it. */
  version: z.union([z.literal(1), z.literal(2)]),
  taskId,
  agentId,
  journalId,
  slot: z.string().max(520),
  attempt: z.int().min(1),
  action: z.literal('script'),
  contentDigest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  interpreter,
  args: z.array(value),
  env: z.record(z.string(), value),
  secretEnv: z.record(z.string(), z.string()),
  stdin,
  cwd: z.string().nullable(),
  runAs: userName.optional(),
  expectReboot: z.literal(true).optional(),
  limits: jobLimits,
  notAfter: z.int(),
  /**
   * What a gateway needs to know the task again from one job of it (rule R6): its idempotency key
   * and the job's place in the submit. Jobs of protocol 1 have neither.
   */
  task: z.object({
    key: idempotencyKey.optional(),
    size: z.int(),
    position: z.int().min(0).optional(),
    callback: callbackTarget.nullable(),
  }),
  /** The key of the signature; a job without one is not signed. */
  keyId: keyId.optional(),
});
export type Job = z.infer<typeof job>;

export const finalJobState = z.enum([
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'refused',
  'expired',
  'unreachable',
  'not_enrolled',
  'unknown',
]);
export type FinalJobState = z.infer<typeof finalJobState>;

export const jobState = z.enum([
  'queued',
  'dispatched',
  'acked',
  'running',
  ...finalJobState.options,
]);
export type JobState = z.infer<typeof jobState>;

/** How one attempt on one host ended (or stands). `reason` is one of `domain/job.ts`. */
export const jobReport = z.object({
  state: jobState,
  reason: z.string().max(64).nullable(),
  exitCode: z.int().nullable(),
  signal: z.string().max(16).nullable(),
  /** Unix milliseconds on the host's own clock; null if it never started or ended. */
  startedAt: z.int().nullable(),
  finishedAt: z.int().nullable(),
  stdoutBytes: z.int(),
  stderrBytes: z.int(),
  /** The job wrote more than its limit, and the rest is gone; absent if not, or from older agents. */
  outputCut: z.boolean().optional(),
  /** What an operator should know beside the reason; no secrets, at most 500 characters. */
  note: z.string().max(500).nullable(),
});
export type JobReport = z.infer<typeof jobReport>;

export const jobRow = z.object({ agentId, jobId, report: jobReport });
export type JobRow = z.infer<typeof jobRow>;

/** Places of hosts in a report's `letters`. */
const positions = z
  .array(
    z
      .int()
      .min(0)
      .max(limits.targetsMax - 1),
  )
  .max(limits.targetsMax);

/**
 * A task as polls and callbacks tell it. `letters` has one letter per host in the order of the
 * submit (names 5), `.` for a job that has not ended; it is the whole outcome in a byte a host.
 */
export const taskReport = z.object({
  taskId,
  key: idempotencyKey,
  state: z.enum(['open', 'finished']),
  size: z.int(),
  /** The gateway has lost the task and knows of it what some of its jobs told: it is to be submitted again. */
  partial: z.literal(true).optional(),
  letters: z.string().max(limits.targetsMax),
  /** Up to `limits.reportFailuresMax` hosts that did not succeed, in the submit's order. */
  failures: z
    .array(
      z.object({
        agentId,
        state: finalJobState,
        reason: z.string().nullable(),
        exitCode: z.int().nullable(),
      }),
    )
    .max(limits.reportFailuresMax),
  /**
   * Positions in `letters` of all hosts whose script ended with `notThereStatus` (`domain/job.ts`):
   * what a probe says that finds nothing. Left out if there are none, and by older gateways.
   */
  notThere: positions.optional(),
  /**
   * Positions in `letters` of all hosts whose refusal says "not now" rather than "not this" (design
   * 5.4), so that it may be tried again. Left out if there are none, and by older gateways.
   */
  notNow: positions.optional(),
  /**
   * Positions in `letters` of all hosts whose job was cancelled after its script had begun, so that
   * there is something to undo. Left out if there are none, and by older gateways.
   */
  begun: positions.optional(),
});
export type TaskReport = z.infer<typeof taskReport>;

/** Body of the callback (design 5.9), signed by Standard Webhooks. */
export const taskCallback = z.object({
  type: z.literal('task.finished'),
  reference: z.string(),
  report: taskReport,
});
export type TaskCallback = z.infer<typeof taskCallback>;

export const agentState = z.enum(['online', 'late', 'offline', 'never_seen', 'draining', 'locked']);
export type AgentState = z.infer<typeof agentState>;

/** An enrolled agent. Labels come from its certificate's register, never from the agent (rule X5). */
export const agentView = z.object({
  id: agentId,
  name: z.string(),
  state: agentState,
  journalId,
  labels: z.record(z.string(), z.string()),
  gatewayId: z.string().nullable(),
  sessionId: z.string().nullable(),
  lastSeenAt: z.int().nullable(),
  version: z.string().nullable(),
  /** How far its clock is ahead of the gateway's, milliseconds; null while that is 5 s or less. */
  clockOffsetMs: z.int().nullable().default(null),
  /** Why, by whom and when (Unix milliseconds) it was locked; null if it is not. */
  lock: z.object({ reason: z.string(), by: z.string(), at: z.int() }).nullable().default(null),
});
export type AgentView = z.infer<typeof agentView>;

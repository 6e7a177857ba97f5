import { z } from 'zod';
import { duration, durationFrom } from './duration.ts';
import { defaultClocks, limits } from './limits.ts';
import { interpreter, userName } from './task.ts';

/** Names of policies, runbooks and steps: they become parts of ids, so they are short and plain. */
export const resourceName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$/, {
  error: 'must be 1 to 60 of a-z, 0-9 and "-", neither first nor last a "-"',
});

const secretName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);

/** An environment value: text, which may hold `${labels.x}`, or the name of a secret on the host. */
const environmentValue = z.union([
  z.string().max(limits.scriptValueBytes),
  z.strictObject({ secret: secretName }),
]);

/**
 * A script of a step or probe. Exactly one of `file` (beside the runbook) and `inline`. Alert
 * values reach it by `args`, `env` or `stdin: alerts`, never inside its text (security T8).
 */
export const scriptSpec = z
  .strictObject({
    interpreter: interpreter.default('sh'),
    file: z.string().min(1).max(255).optional(),
    inline: z.string().min(1).max(limits.scriptBytes).optional(),
    args: z.array(z.string().max(limits.scriptValueBytes)).max(limits.scriptArgsMax).default([]),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), environmentValue).default({}),
    /** `alerts`: a JSON array of this host's alerts; `{secret: name}`: a secret of the host. */
    stdin: z.union([z.literal('alerts'), z.strictObject({ secret: secretName })]).optional(),
    cwd: z.string().startsWith('/').max(4096).optional(),
    /** A user of the host; without one the agent's own. */
    runAs: userName.optional(),
  })
  .refine((spec) => (spec.file === undefined) !== (spec.inline === undefined), {
    error: 'needs exactly one of "file" and "inline"',
  });
export type ScriptSpec = z.infer<typeof scriptSpec>;

export const retrySpec = z.strictObject({
  attempts: z.int().min(1).max(limits.attemptsMax).default(1),
  backoff: duration.default(10_000),
  /** Classes of design 5.4; `unknown` not where the step's contract is `once`. */
  on: z.array(z.enum(['failed', 'timed_out', 'unreachable', 'unknown'])).default([]),
});

/** `N`, or `"N%"` of the step's planned targets rounded down; N are allowed, N + 1 stop (rule X10). */
export const maxFailures = z.union([
  z.int().min(0).max(limits.targetsMax),
  z.string().regex(/^(100|[0-9]{1,2})%$/),
]);

/**
 * Hosts per batch: a number, or BlueKing's expression of growing batches, as `1 10% +5 *2`. Its parts are
 * read by `parseBatchExpression` of `domain/batch-expression.ts`, of a file when it is loaded.
 */
export const rolloutBatches = z.union([z.int(), z.string().max(limits.batchExpressionBytes)]);

export const rolloutSpec = z.strictObject({
  batches: rolloutBatches.default(limits.batchHostsDefault),
  maxFailures: maxFailures.default(0),
  /** What more failures than that do: end the step, wait for a person, or be told at the end. */
  mode: z.enum(['stop', 'pause', 'continue']).default('stop'),
  /** A wait after each batch but the last. */
  pauseBetween: duration.default(0),
  /** How long a batch must have lasted, after which its hosts are proven, before the next one starts. */
  soak: duration.default(0),
});

const probeSpec = z.strictObject({
  script: scriptSpec,
  timeout: durationFrom('100ms', '1h').default(10_000),
});

const jobTimeout = durationFrom('100ms', '7d').default(defaultClocks.jobTimeoutMs);

/**
 * What takes a step back, should the repair fail: on hosts where the step may have run and whose proof
 * did not pass, the last step first. Its script must be safe where the step stopped half-way.
 */
export const undoSpec = z
  .strictObject({
    script: scriptSpec,
    timeout: jobTimeout,
    contract: z.enum(['repeatable', 'once']).default('once'),
    retry: retrySpec.prefault({}),
  })
  .refine((undo) => undo.contract !== 'once' || !undo.retry.on.includes('unknown'), {
    path: ['retry', 'on'],
    error:
      'retrying "unknown" needs contract: repeatable, because the script may have run (invariant 2)',
  });

export const stepSpec = z
  .strictObject({
    name: resourceName
      .refine((name) => name !== 'verify', {
        error: 'must not be "verify": the probe goes by that name in keys and tables',
      })
      .refine((name) => !name.startsWith('undo-'), {
        error: 'must not begin with "undo-": what takes a step back goes by that name',
      }),
    script: scriptSpec,
    timeout: jobTimeout,
    contract: z.enum(['repeatable', 'once', 'probe']).default('once'),
    /**
     * Asked on hosts whose outcome is unknown. Status 0: the step's effect is there, the host has
     * succeeded; 10 (`notThereStatus` of `domain/job.ts`): it is not, the step may be tried again; any
     * other, as of a probe that broke: still unknown (invariant 2).
     */
    probe: probeSpec.optional(),
    /** The script's purpose is a reboot: it succeeds when the host is back in time (rule R11). */
    expectReboot: z.boolean().default(false),
    retry: retrySpec.prefault({}),
    rollout: rolloutSpec.prefault({}),
    rollback: undoSpec.optional(),
  })
  .refine((step) => step.contract !== 'once' || !step.retry.on.includes('unknown'), {
    path: ['retry', 'on'],
    error:
      'retrying "unknown" needs contract: repeatable or probe, because the script may have run (invariant 2)',
  })
  .refine((step) => step.contract !== 'probe' || step.probe !== undefined, {
    path: ['contract'],
    error:
      'contract: probe needs a "probe", whose script ends with 0 if the step had its effect and with 10 if not',
  })
  .refine((step) => step.contract === 'probe' || step.probe === undefined, {
    path: ['probe'],
    error: 'only a step with contract: probe is asked by one',
  });

/**
 * A page that our own worker asks for, once a host; redirects are not followed. The url may hold
 * `${labels.x}`, `${host.hostname}` and `${host.ip}`, and its host is one that FIXPOINT_EGRESS_ALLOW names.
 */
export const httpProbeSpec = z.strictObject({
  url: z
    .string()
    .max(2_048)
    .regex(/^https?:\/\/[^/?#@\s]+([/?#]|$)/, {
      error: 'must begin with http:// or https:// and a host, without a user name',
    }),
  status: z.int().min(100).max(599).default(200),
  /** Text that the first `limits.probePageBytes` of the page hold. */
  contains: z.string().min(1).max(1_024).optional(),
});

const proofSpec = z
  .strictObject({
    script: scriptSpec.optional(),
    http: httpProbeSpec.optional(),
    timeout: durationFrom('100ms', '1h').default(10_000),
  })
  .refine((probe) => (probe.script === undefined) !== (probe.http === undefined), {
    error: 'needs exactly one of "script" and "http"',
  })
  .refine((probe) => probe.http === undefined || probe.timeout <= limits.probePageMs, {
    path: ['timeout'],
    error: `a probe by http may take ${limits.probePageMs / 1_000}s at most`,
  });

export const verifySpec = z.strictObject({
  /** Without a probe the repair counts as done when the sender says resolved (invariant 12). */
  probe: proofSpec.optional(),
  within: duration.default(300_000),
  /** How long the proof must last: then it is asked once more, and no alert may have come back. */
  soak: duration.default(0),
});

/** `kind: Runbook` of `fixpoint/v1` (design 5.3). Unknown keys are refused. */
export const runbookSpec = z
  .strictObject({
    apiVersion: z.literal('fixpoint/v1'),
    kind: z.literal('Runbook'),
    name: resourceName,
    /** What it does is hard to make good: people approve it, each step can be undone, and its proof lasts. */
    destructive: z.boolean().default(false),
    steps: z.array(stepSpec).min(1).max(limits.stepsMax),
    verify: verifySpec.prefault({}),
    /** An empty list may stand: each step says itself how it is undone. */
    rollback: z
      .array(z.unknown())
      .max(0, { error: 'must be empty: write "rollback" at the step that it undoes' })
      .optional(),
  })
  .refine((runbook) => !runbook.destructive || runbook.steps.every(({ rollback }) => rollback), {
    path: ['destructive'],
    error: 'needs a "rollback" at each step: what is hard to make good must have a way back',
  })
  .refine((runbook) => !runbook.destructive || runbook.verify.soak > 0, {
    path: ['destructive'],
    error: 'needs a "verify.soak", the time in which harm shows and is undone, as 10m',
  });
export type RunbookSpec = z.infer<typeof runbookSpec>;

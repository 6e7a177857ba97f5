import type { FrozenRunbook, FrozenTargets } from '../contracts/frozen.ts';
import type { Clocks } from '../contracts/limits.ts';
import type { ManualRun } from '../contracts/manual-run.ts';
import type { RemediationInput } from '../contracts/temporal.ts';
import { parseBatchExpression } from '../domain/batch-expression.ts';
import { FixpointError, type Flaw } from '../domain/errors.ts';
import { parseMatcher } from '../domain/matchers.ts';
import { digestOf } from './frozen-runbook.ts';
import { nearName } from './near-name.ts';
import { countedWith, domainListsOf, manualDomainBy, type PolicySet } from './policy-files.ts';
import { compileExpression } from './regular-expression.ts';

export type ManualRunOf = {
  readonly asked: ManualRun;
  readonly set: PolicySet;
  readonly remediationId: string;
  /** Whose credential it is. */
  readonly startedBy: string;
  /** `observe`: it says what it would do. */
  readonly isPlanOnly: boolean;
  readonly approvalMs: number;
  readonly approvalsFromTemporal: boolean;
  readonly nowMs: number;
  readonly clocks: Clocks;
  readonly callbackUrl: string;
};

/**
 * What a run by hand is started with: the same as a repair that an alert asked for, under the same
 * guards, but for who asked. Throws `not_found` or `invalid_payload` with the fix.
 */
export function manualRemediation(of: ManualRunOf): RemediationInput {
  const { asked, remediationId, startedBy } = of;
  refuseFlaws(asked);
  const runbook = withBatches(runbookOf(of), asked.batches);
  const { hosts, select, domainBy = manualDomainBy, blastRadius } = asked;
  const targets: FrozenTargets = {
    from: null,
    select: select ?? null,
    onMissing: 'refuse',
    ...(hosts === undefined ? {} : { agents: hosts }),
  };
  const guards = countedWith(
    { domainBy, ...(blastRadius === undefined ? {} : { blastRadius }) },
    domainListsOf(of.set.policies),
  );
  return {
    remediationId,
    mailboxId: null,
    trigger: 'manual',
    policy: {
      name: 'manual',
      digest: digestOf(asked),
      targets,
      onResolved: 'continue',
      guards,
      ...autonomyOf(of),
    },
    runbook,
    groupId: 'manual',
    episodes: [episodeOf(of)],
    clocks: of.clocks,
    callbackUrl: of.callbackUrl,
    startedBy,
  };
}

function autonomyOf({ asked, isPlanOnly, approvalMs, approvalsFromTemporal }: ManualRunOf) {
  if (isPlanOnly) return { autonomy: 'observe' as const };
  const { approvers } = asked;
  if (approvers === 0) return { autonomy: 'auto' as const };
  const origin = approvalsFromTemporal ? {} : { fromTemporal: false as const };
  return {
    autonomy: 'approve' as const,
    approval: { approvers, expiresMs: approvalMs, ...origin },
  };
}

/** Stands for the alert, so that values reach scripts in the same way; nothing ever resolves it. */
const episodeOf = ({ asked, nowMs }: ManualRunOf) => ({
  id: `manual@${nowMs}`,
  fingerprint: 'manual',
  name: 'run by hand',
  severity: '',
  labels: Object.entries(asked.labels),
  startsAt: new Date(nowMs).toISOString(),
});

function runbookOf({ asked, set, isPlanOnly }: ManualRunOf): FrozenRunbook {
  const runbook = set.runbooks.get(asked.runbook);
  if (runbook === undefined) {
    const name = nearName(asked.runbook, [...set.runbooks.keys()]);
    throw new FixpointError('not_found', `there is no runbook "${asked.runbook}"`, {
      hint: name === null ? 'runbooks are read when the api starts' : `did you mean "${name}"?`,
    });
  }
  if (runbook.destructive === true && asked.approvers === 0 && !isPlanOnly) {
    throw new FixpointError('invalid_payload', `the runbook "${asked.runbook}" is destructive`, {
      flaws: [
        { field: 'approvers', value: '0', fix: 'say how many others must approve it, at least 1' },
      ],
    });
  }
  if (runbook.verify.probe !== null) return runbook;
  // No sender will say "resolved", and exit status 0 is no proof (invariant 12).
  throw new FixpointError('invalid_payload', `the runbook "${asked.runbook}" cannot be proven`, {
    flaws: [
      {
        field: 'runbook',
        value: asked.runbook,
        fix: 'add verify.probe to it: a run by hand has no alert that could resolve',
      },
    ],
  });
}

function withBatches(runbook: FrozenRunbook, batches: ManualRun['batches']): FrozenRunbook {
  if (batches === undefined) return runbook;
  const { digest: _, ...others } = runbook;
  const steps = runbook.steps.map((step) => ({
    ...step,
    rollout: { ...step.rollout, expression: String(batches) },
  }));
  const changed = { ...others, steps };
  return { ...changed, digest: digestOf(changed) };
}

function refuseFlaws({ select = [], batches }: ManualRun): void {
  const flaws: Flaw[] = select.flatMap((value, at) => {
    const parsed = parseMatcher(value, compileExpression);
    return parsed.kind === 'parsed' ? [] : [{ field: `select.${at}`, value, fix: parsed.reason }];
  });
  if (batches !== undefined) {
    const parsed = parseBatchExpression(batches);
    if (parsed.kind !== 'parts') {
      const fix = `part ${parsed.part}, "${parsed.value}": ${parsed.fix}`;
      flaws.push({ field: 'batches', value: String(batches), fix });
    }
  }
  if (flaws.length === 0) return;
  throw new FixpointError('invalid_payload', 'the run cannot be made', { flaws });
}

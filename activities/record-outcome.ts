import type { CoreActivities } from '../contracts/activities.ts';
import type { RepairEndedSignal } from '../contracts/breaker.ts';
import type { RemediationEndedSignal } from '../contracts/temporal.ts';
import { hasFailed } from '../domain/breaker.ts';
import type { CrashPoints } from '../platform/crash-point.ts';

/** One decision for the audit log, which chains and keeps it. */
type AuditEntry = {
  readonly kind: string;
  readonly actor: string;
  readonly object: string;
  readonly detail: Readonly<Record<string, unknown>>;
};
type OutcomeInput = Parameters<CoreActivities['recordOutcome']>[0];

export type RecordDeps = {
  /** Frees all that a remediation holds. May do nothing: the janitor frees what a closed one has left. */
  readonly governor: { releaseAll(remediationId: string): Promise<unknown> };
  readonly audit: { append(entry: AuditEntry): Promise<unknown> };
  /** Tells the breaker of its policy; told again it changes nothing. */
  readonly tellBreaker: (signal: RepairEndedSignal) => Promise<void>;
  /** Signals a mailbox; one that is closed is no error. */
  readonly tellMailbox: (mailboxId: string, signal: RemediationEndedSignal) => Promise<void>;
  readonly counted: (of: { policy: string; state: string; seconds: number }) => void;
  readonly crash: CrashPoints<'activities'>;
};

/**
 * Frees the hosts of a repair, whose outcomes are known by now, writes its one full record (rule X12),
 * then tells its mailbox. Trying it again
 * after a crash between the two writes a second, equal record: evidence may repeat, never lack.
 */
export async function recordOutcome(deps: RecordDeps, input: OutcomeInput): Promise<void> {
  const { result } = input;
  // First, because Redis may be away: a try that fails here has not written a record yet.
  await deps.governor.releaseAll(result.remediationId);
  const { breaker, canaryOnly, policy } = input;
  const { remediationId, state } = result;
  if (canaryOnly || (breaker !== undefined && hasFailed(state))) {
    const told = { policy, remediationId, state };
    await deps.tellBreaker(breaker === undefined ? told : { ...told, breaker });
  }
  deps.crash('before-audit');
  await deps.audit.append({
    kind: 'remediation.ended',
    actor: input.cancelledBy ?? 'fixpoint',
    object: result.remediationId,
    detail: {
      state: result.state,
      reason: result.reason,
      policy: { name: input.policy, digest: input.policyDigest },
      runbook: { name: input.runbook, digest: input.runbookDigest },
      scripts: input.scriptDigests,
      episodes: input.episodes.map(({ id, name }) => ({ id, name })),
      targets: input.targets.map(({ agentId, journalId }) => `${agentId}:${journalId}`),
      letters: result.letters,
      hosts: result.hosts,
      hostsFailed: result.hostsFailed,
      startedAt: new Date(input.startedAtMs).toISOString(),
      endedAt: new Date(input.endedAtMs).toISOString(),
    },
  });
  deps.crash('after-audit');
  deps.counted({
    policy: input.policy,
    state: result.state,
    seconds: (input.endedAtMs - input.startedAtMs) / 1_000,
  });
  if (input.mailboxId === null) return;
  await deps.tellMailbox(input.mailboxId, {
    remediationId: result.remediationId,
    state: result.state,
  });
  deps.crash('after-tell');
}

import type { Client } from '@temporalio/client';
import type { Breaker, RepairEndedSignal } from '../contracts/breaker.ts';
import { describeIfThere } from './running-repairs.ts';

/** How long a repair that was let try may take to begin; its mailbox tries again within seconds. */
const beginMs = 60_000;

export type TrialDeps = {
  readonly client: Client;
  readonly breakers: readonly Breaker[];
  readonly nowMs: number;
  readonly tellBreaker: (signal: RepairEndedSignal) => Promise<void>;
};

/**
 * Says how trials ended that cannot say so themselves: one that Temporal ended from outside has failed,
 * one that never began has tried nothing. Else nobody could try for its policy. May be repeated.
 */
export async function settleTrials(deps: TrialDeps): Promise<void> {
  for (const { policy, canary } of deps.breakers) {
    if (canary === null) continue;
    const { remediationId, at } = canary;
    const found = await describeIfThere(deps.client, remediationId);
    const status = found === null ? null : found.status.name;
    if (status === 'TERMINATED' || status === 'FAILED' || status === 'TIMED_OUT') {
      await deps.tellBreaker({ policy, remediationId, state: 'failed' });
    } else if (status === null && deps.nowMs - at > beginMs) {
      await deps.tellBreaker({ policy, remediationId, state: 'held' });
    }
  }
}

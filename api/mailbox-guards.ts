import type { GuardStanding } from '../contracts/guard-standing.ts';
import { queryNames } from '../contracts/temporal.ts';
import { callTemporal, type TemporalDeps } from './temporal-call.ts';

/** An answer about an alert is worth waiting for, a worker that is away is not. */
const queryMs = 2_000;

/**
 * Where the guards of a mailbox stand now; null if it has closed, or cannot be asked because Temporal
 * or its worker is away. Never rejects.
 */
export async function guardsOf(
  deps: TemporalDeps,
  mailboxId: string,
): Promise<readonly GuardStanding[] | null> {
  try {
    return await callTemporal(deps, queryMs, async () => {
      const handle = deps.client.workflow.getHandle(mailboxId);
      if ((await handle.describe()).status.name !== 'RUNNING') return null;
      return handle.query<readonly GuardStanding[], [number]>(queryNames.guards, deps.clock.now());
    });
  } catch {
    return null; // The delivery's own record is the answer; this is more beside it.
  }
}

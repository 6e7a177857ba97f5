import type { Client } from '@temporalio/client';
import { limits } from '../contracts/limits.ts';
import {
  type ControlState,
  queryNames,
  type RepublishUpdate,
  updateNames,
  workflowIds,
} from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from './clock.ts';

export type ControlDeps = {
  readonly client: Client;
  /** What gateways read, or null if nothing can be read there. */
  readonly cached: () => Promise<ControlState | null>;
  readonly clock: Clock;
};

const handleOf = ({ client }: ControlDeps) => client.workflow.getHandle(workflowIds.control);

const lookMaxMs = 200;

/**
 * Resolves once gateways can read `changed`, or what came after it. Something in the cache that the
 * switch never said, a stranger's write or one from before a clock went back, is gone past. Rejects
 * with `upstream_unavailable` if that takes longer than `limits.controlCachedMs`: then gateways may
 * not know of the change, which stands in the switch all the same and is published when it can be.
 */
export async function untilCached(deps: ControlDeps, changed: ControlState): Promise<void> {
  const { clock } = deps;
  const until = clock.monotonic() + limits.controlCachedMs;
  let due = changed.revision;
  for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, lookMaxMs)) {
    const standing = (await deps.cached())?.revision;
    if (standing === due) return;
    if (isRevision(standing) && standing > due) {
      const truth = await handleOf(deps).query<ControlState>(queryNames.state);
      if (truth.revision >= standing) return;
      due = (await republish(deps, { standing, past: truth.revision })).revision;
    }
    if (clock.monotonic() > until) {
      throw new FixpointError('upstream_unavailable', 'gateways may not know of it yet', {
        hint: 'the switch has it and publishes it as soon as Redis takes it; see `fixpoint control show`',
      });
    }
    await clock.sleep(waitMs);
  }
}

/**
 * Has the switch published past `standing`, which keeps its revision `past` out of the cache. Asked
 * again for the same it is done once. Returns before it is published.
 */
export const republish = (
  deps: Pick<ControlDeps, 'client'>,
  of: { readonly standing: number; readonly past: number },
): Promise<ControlState> =>
  deps.client.workflow
    .getHandle(workflowIds.control)
    .executeUpdate<ControlState, [RepublishUpdate]>(updateNames.republish, {
      args: [{ standing: of.standing }],
      // Only the switch itself may go past it: it knows whether it was thrown since it was asked.
      updateId: `${updateNames.republish}/${of.past}/${of.standing}`,
    });

/** As `control-write.lua` sees it: anything else there is damage and gives way. */
const isRevision = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value <= 9e15;

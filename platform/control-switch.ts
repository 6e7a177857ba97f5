import type { Client } from '@temporalio/client';
import type { ControlState, RepublishUpdate } from '../contracts/control.ts';
import { limits } from '../contracts/limits.ts';
import { queryNames, updateNames, workflowIds } from '../contracts/temporal.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from './clock.ts';

export type ControlView = {
  readonly client: Client;
  /** What gateways read, or null if nothing can be read there. */
  readonly control: { read(): Promise<ControlState | null> };
  readonly clock: Clock;
};

const lookMaxMs = 200;

/**
 * Resolves once gateways can read `changed`, or what came after it, to what they read. Something in
 * the cache that the switch never said, a stranger's write or one from before a clock went back, is
 * gone past. Rejects with `upstream_unavailable` if that takes longer than `limits.controlCachedMs`:
 * then gateways may not know of the change, which stands in the switch all the same and is
 * published when it can be.
 */
export async function untilCached(view: ControlView, changed: ControlState): Promise<ControlState> {
  const { client, control, clock } = view;
  const until = clock.monotonic() + limits.controlCachedMs;
  let due = changed;
  for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, lookMaxMs)) {
    // A Redis that is away is looked at again.
    const standing = (await control.read().catch(() => null))?.revision;
    if (standing === due.revision) return due;
    if (isRevision(standing) && standing > due.revision) {
      const truth = await client.workflow
        .getHandle(workflowIds.control)
        .query<ControlState>(queryNames.state);
      if (truth.revision === standing) return truth;
      due =
        truth.revision > standing
          ? truth
          : await republish(view, { standing, past: truth.revision });
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
  { client }: Pick<ControlView, 'client'>,
  of: { readonly standing: number; readonly past: number },
): Promise<ControlState> =>
  client.workflow
    .getHandle(workflowIds.control)
    .executeUpdate<ControlState, [RepublishUpdate]>(updateNames.republish, {
      args: [{ standing: of.standing }],
      // Only the switch itself may go past it: it knows whether it was thrown since it was asked.
      updateId: `${updateNames.republish}/${of.past}/${of.standing}`,
    });

/** As `control-write.lua` sees it: anything else there is damage and gives way. */
const isRevision = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value <= 9e15;

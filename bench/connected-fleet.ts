import { Fleet } from './fleet/fleet.ts';
import type { FleetMode } from './fleet/fleet-messages.ts';
import type { Behaviour } from './fleet/simulated-executor.ts';
import type { BenchDeps, FleetRig } from './fleet-rig.ts';

const connectWithinMs = 300_000;
const settleMs = 4_000;

/** Jobs that end at once and well. */
export const instant: Behaviour = { seed: 1, durationMs: 0, failureRate: 0, exitCode: 0 };

/** A fleet on the rig's gateways, all of it connected and a few seconds quiet. */
export async function connectedFleet(
  deps: BenchDeps,
  rig: FleetRig,
  of: {
    readonly agents: number;
    readonly mode: FleetMode;
    readonly behaviour: Behaviour;
    /** Of the rig's agents, the first that is this fleet's; 0 if it has them all. */
    readonly from?: number;
  },
): Promise<{ readonly fleet: Fleet; readonly connectMs: number }> {
  const { clock } = deps;
  const from = clock.monotonic();
  const fleet = await Fleet.start(clock, {
    ...{ shards: rig.files.shards, count: of.agents, ...(of.from ? { from: of.from } : {}) },
    ...{ mode: of.mode, behaviour: of.behaviour },
    ...{ authority: rig.files.authority.certificate, trustFile: rig.trustFile },
    gateways: rig.gateways.map(({ agentUrl }) => agentUrl),
  });
  deps.onPart(() => fleet.stop());
  await fleet.connected(of.agents, { withinMs: connectWithinMs });
  const connectMs = clock.monotonic() - from;
  await clock.sleep(settleMs);
  return { fleet, connectMs };
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchGateway } from './bench-gateway.ts';
import type { SimulatedIdentity } from './fleet/identity.ts';
import { readIdentities } from './fleet/identity-shards.ts';
import { type BenchDeps, type FleetRig, startFleetRig } from './fleet-rig.ts';
import { HostAgent } from './host-agent.ts';

const onlineWithinMs = 60_000;

/** A rig with `count` real agents, all of them online. */
export async function startHostAgents(
  deps: BenchDeps,
  count: number,
): Promise<{ readonly rig: FleetRig; readonly agents: readonly HostAgent[] }> {
  const rig = await startFleetRig(deps, { agents: count, gateways: 1 });
  const [gateway] = rig.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const folder = join(rig.folder, 'agents');
  mkdirSync(folder);
  const start = (identity: SimulatedIdentity): HostAgent =>
    HostAgent.start({
      ...{ folder, identity, files: rig.files, trustFile: rig.trustFile },
      gateway: gateway.agentUrl,
    });
  const identities = readIdentities(rig.files.shards, { from: 0, count });
  // The first one finds no code compiled and is larger for it; it only fills the cache.
  const first = identities.slice(0, 1).map(start);
  deps.onPart(() => stopAll(first));
  await areOnline(deps, gateway, 1);
  await stopAll(first);
  const agents = identities.map(start);
  deps.onPart(() => stopAll(agents));
  await areOnline(deps, gateway, count);
  return { rig, agents };
}

async function areOnline({ clock }: BenchDeps, gateway: BenchGateway, count: number) {
  const until = clock.monotonic() + onlineWithinMs;
  while ((await gateway.agentsOnline()) < count) {
    if (clock.monotonic() > until) throw new Error('the agents did not come online');
    await clock.sleep(100);
  }
}

async function stopAll(agents: readonly HostAgent[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent.stop()));
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fleet } from '../../bench/fleet/fleet.ts';
import { issueShards, readIdentities } from '../../bench/fleet/identity-shards.ts';
import type { Behaviour } from '../../bench/fleet/simulated-executor.ts';
import type { Clocks } from '../../contracts/limits.ts';
import type { TaskReport } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { eventually } from './eventually.ts';
import { FaultProxy } from './fault-proxy.ts';
import { GatewayHost } from './gateway-host.ts';
import { aTrust } from './signing.ts';

type Far = { readonly fleet: Fleet; readonly network: FaultProxy };

async function farFleet(
  of: Omit<Parameters<typeof Fleet.start>[1], 'gateways' | 'count'> & {
    readonly near: number;
    readonly farCount: number;
  },
  host: GatewayHost,
): Promise<Far> {
  const { near: from, farCount: count, ...common } = of;
  const network = await FaultProxy.start(host.agentPort);
  const gateways = [`wss://127.0.0.1:${network.port}`];
  return { network, fleet: await Fleet.start(systemClock, { ...common, from, count, gateways }) };
}

/** A real gateway on a real Redis with a fleet of simulated agents, all of them connected. */
export class FleetHost {
  readonly host: GatewayHost;
  readonly fleet: Fleet;
  readonly targets: readonly { readonly agentId: string; readonly journalId: string }[];
  /** Those that a network of their own can cut off; null if none was asked for. */
  readonly far: Far | null;
  readonly #directory: string;

  private constructor(of: {
    readonly host: GatewayHost;
    readonly fleet: Fleet;
    readonly targets: FleetHost['targets'];
    readonly far: Far | null;
    readonly directory: string;
  }) {
    this.host = of.host;
    this.fleet = of.fleet;
    this.targets = of.targets;
    this.far = of.far;
    this.#directory = of.directory;
  }

  static async start(of: {
    readonly agents: number;
    readonly behaviour: Behaviour;
    readonly clocks?: Partial<Clocks>;
    /** So many of them, the last ones, are behind a network that can break. */
    readonly far?: number;
    /** Starts more gateways once the agents are registered, and names their addresses. */
    readonly beside?: (host: GatewayHost) => Promise<readonly string[]>;
  }): Promise<FleetHost> {
    const { agents: count, far: farCount = 0, behaviour, clocks = {} } = of;
    const near = count - farCount;
    const directory = mkdtempSync(join(tmpdir(), 'fixpoint-shards-'));
    const host = await GatewayHost.start({ agents: 0, clocks });
    const { authority } = host;
    const shards = await issueShards({
      ...{ directory, authority, count, clock: systemClock },
      ...{ prefix: 'sim', say: () => {} },
    });
    const targets = readIdentities(shards, { from: 0, count }).map(({ record }) => record);
    await host.registerAll(targets);
    const trustFile = join(directory, 'trust.json');
    writeFileSync(trustFile, JSON.stringify(await aTrust()));
    const common = {
      ...{ shards, authority: authority.certificate, trustFile, behaviour },
      mode: 'whole' as const,
    };
    const fleet = await Fleet.start(systemClock, {
      ...{ ...common, count: near },
      gateways: [`wss://127.0.0.1:${host.agentPort}`, ...((await of.beside?.(host)) ?? [])],
    });
    const far = farCount === 0 ? null : await farFleet({ ...common, near, farCount }, host);
    await fleet.connected(near, { withinMs: 60_000 });
    await far?.fleet.connected(farCount, { withinMs: 60_000 });
    return new FleetHost({ host, fleet, targets, far, directory });
  }

  /** Hands in a signed task for all agents; resolves to its id. */
  async submit(key: string): Promise<string> {
    const task = this.host.task({ targets: [...this.targets], slot: key });
    const answer = await this.host.submitSigned(key, task);
    if (answer.status !== 201) throw new Error(`the task was answered ${answer.status}`);
    return (answer.body as TaskReport).taskId; // What the route promises.
  }

  finished(taskId: string): Promise<TaskReport> {
    return eventually(
      async () => {
        const report = await this.host.report(taskId);
        if (report.state !== 'finished') throw new Error(`the letters are ${report.letters}`);
        return report;
      },
      { withinMs: 60_000 },
    );
  }

  async stop(): Promise<void> {
    await this.fleet.stop();
    await this.far?.fleet.stop();
    await this.far?.network.stop();
    await this.host.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

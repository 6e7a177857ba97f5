import { readFileSync } from 'node:fs';
import type { AgentDeps } from '../../agent/agent.ts';
import { type AgentTrust, TrustStore } from '../../agent/trust-store.ts';
import type { Clock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import type { Log } from '../../platform/log.ts';
import type { FleetPlan, FleetStatus } from './fleet-messages.ts';
import type { SimulatedIdentity } from './identity.ts';
import type { JobLog } from './job-log.ts';
import { linkAgent } from './link-agent.ts';
import type { SharedJournal } from './shared-journal.ts';
import { type FleetAgent, simulatedAgent } from './simulated-agent.ts';

export type CrowdDeps = {
  readonly plan: Omit<FleetPlan, 'shards' | 'from' | 'count'>;
  readonly identities: readonly SimulatedIdentity[];
  readonly journal: SharedJournal;
  readonly jobLog: JobLog;
  readonly clock: Clock;
  readonly log: Log;
};

/** Links opening at once: as many as keep two processes and a gateway busy. */
const openingMax = 32;
const lookMs = 10;
/**
 * Longer than on a host: a burst for thousands of agents keeps their one event loop from pongs that
 * are there already. Nothing starts without a lease all the same.
 */
const leaseWaitMs = 20_000;

/** Many agents of one process. They connect a few at a time, as a fleet does that was not killed. */
export class AgentCrowd {
  readonly #clock: Clock;
  readonly #agents: readonly FleetAgent[];
  readonly #jobLog: JobLog;
  #isStopped = false;

  constructor(deps: CrowdDeps) {
    this.#clock = deps.clock;
    this.#jobLog = deps.jobLog;
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const agentDeps: AgentDeps = {
      gateways: deps.plan.gateways,
      localAddress: deps.plan.localAddress,
      processes: { bootId: () => bootId },
      clock: deps.clock,
      log: deps.log,
      crashAt: noCrashPoints,
      leaseWaitMs,
      resendAfterMs: 1_000,
    };
    // One for all of them, as they all trust the same and nothing newer comes.
    const trust = TrustStore.open(deps.plan.trustFile, deps.log);
    this.#agents = deps.identities.map((each) => agentOf({ ...deps, trust }, agentDeps, each));
  }

  /** Starts them all; resolves when the last one was started, connected or not. */
  async start(): Promise<void> {
    let opening: FleetAgent[] = [];
    for (const agent of this.#agents) {
      while (opening.length >= openingMax && !this.#isStopped) {
        await this.#clock.sleep(lookMs);
        opening = opening.filter(({ isConnected }) => !isConnected);
      }
      if (this.#isStopped) return;
      await agent.start();
      opening.push(agent);
    }
  }

  status(): FleetStatus {
    const { user, system } = process.cpuUsage();
    return {
      agents: this.#agents.length,
      connected: this.#agents.filter(({ isConnected }) => isConnected).length,
      jobs: this.#jobLog.jobs,
      startedTwice: this.#jobLog.startedTwice,
      residentBytes: process.memoryUsage.rss(),
      cpuMs: (user + system) / 1_000,
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#agents.map((agent) => agent.stop()));
  }
}

function agentOf(
  deps: CrowdDeps & { readonly trust: AgentTrust },
  agentDeps: AgentDeps,
  each: SimulatedIdentity,
): FleetAgent {
  const { plan, trust, journal, jobLog } = deps;
  const { behaviour, authority } = plan;
  const { agentId, journalId } = each.record;
  const { certificate, key } = each;
  const identity = { agentId, journalId, key, certificate, authority };
  return plan.mode === 'link'
    ? linkAgent({ ...agentDeps, identity, behaviour, jobLog })
    : simulatedAgent(agentDeps, { identity, trust, journal, behaviour, counter: jobLog });
}

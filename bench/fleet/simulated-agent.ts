import { Agent, type AgentDeps } from '../../agent/agent.ts';
import type { Identity } from '../../agent/identity-files.ts';
import type { SignedJob } from '../../agent/job-folder.ts';
import type { AgentTrust } from '../../agent/trust-store.ts';
import type { SharedJournal } from './shared-journal.ts';
import { type Behaviour, SimulatedExecutor, type StartCounter } from './simulated-executor.ts';
import { SimulatedJobFolder } from './simulated-job-folder.ts';

/** An agent of a fleet as its process sees it. */
export type FleetAgent = {
  readonly isConnected: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** The agent itself, all of it, with simulated jobs and a journal shared with others. */
export function simulatedAgent(
  deps: AgentDeps,
  of: {
    readonly identity: Identity;
    readonly trust: AgentTrust;
    readonly journal: Pick<SharedJournal, 'of'>;
    readonly behaviour: Behaviour;
    readonly counter: StartCounter;
  },
): Agent {
  const { identity, trust, behaviour, counter } = of;
  const { clock } = deps;
  const journal = of.journal.of(identity.agentId);
  const signed = new Map<string, SignedJob>();
  return new Agent(deps, {
    state: {
      identity,
      isStopped: () => false,
      // A simulated host has no secrets: jobs that name one are refused.
      secret: () => null,
      jobFolder: (jobId) => new SimulatedJobFolder(jobId, signed.get(jobId) ?? null),
      close() {},
    },
    trust,
    journal,
    executor: (events) =>
      new SimulatedExecutor({ ...events, journal, behaviour, counter, signed, clock }),
  });
}

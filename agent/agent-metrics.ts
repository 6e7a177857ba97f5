import type { FinalJobState } from '../contracts/task.ts';

/** An agent as it is at one moment. */
export type AgentHealth = {
  readonly isConnected: boolean;
  /** Whether it may start jobs (invariant 4). */
  readonly hasLease: boolean;
  /** By the kill switch or by the host's own stop file. */
  readonly isStopped: boolean;
  readonly jobsRunning: number;
  /** Since the agent started. Refusals leave no trace here; the gateway counts them. */
  readonly jobsEnded: ReadonlyMap<FinalJobState, number>;
  /** How far this host's clock is ahead of the gateway's; null before the first pong. */
  readonly clockAheadMs: number | null;
  /** Until the agent's certificate ends; negative after that. */
  readonly certificateLeftMs: number;
};

type Sample = { readonly labels?: string; readonly value: number };
type Family = {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: (health: AgentHealth, residentBytes: number) => readonly Sample[];
};

const day = 86_400_000;
const one = (value: number): readonly Sample[] => [{ value }];

const families: readonly Family[] = [
  {
    name: 'fixpoint_agent_connected',
    type: 'gauge',
    help: '1 while the agent has a session with a gateway.',
    samples: (health) => one(Number(health.isConnected)),
  },
  {
    name: 'fixpoint_agent_start_lease',
    type: 'gauge',
    help: '1 while the agent may start jobs; a lease lasts 10 s from its own ping.',
    samples: (health) => one(Number(health.hasLease)),
  },
  {
    name: 'fixpoint_agent_stopped',
    type: 'gauge',
    help: '1 while the kill switch or the stop file of this host keeps jobs from starting.',
    samples: (health) => one(Number(health.isStopped)),
  },
  {
    name: 'fixpoint_agent_jobs_running',
    type: 'gauge',
    help: 'Scripts that run now.',
    samples: (health) => one(health.jobsRunning),
  },
  {
    name: 'fixpoint_agent_jobs_total',
    type: 'counter',
    help: 'Jobs that ended since the agent started, by outcome.',
    samples: (health) =>
      [...health.jobsEnded].map(([state, value]) => ({ labels: `{outcome="${state}"}`, value })),
  },
  {
    name: 'fixpoint_agent_clock_ahead_seconds',
    type: 'gauge',
    help: 'How far the clock of this host is ahead of the gateway; absent before the first answer.',
    samples: ({ clockAheadMs }) => (clockAheadMs === null ? [] : one(clockAheadMs / 1_000)),
  },
  {
    name: 'fixpoint_certificate_days_left',
    type: 'gauge',
    help: 'Days until the certificate of this agent ends; gateways refuse it after that.',
    samples: (health) => one(health.certificateLeftMs / day),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the agent.',
    samples: (_health, residentBytes) => one(residentBytes),
  },
];

/** The type of the text for scrapers. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The metrics as Prometheus reads them. Written by hand, because a library for it would be a tenth
 * of the agent's memory (design 8). No label holds what a host or a sender chose.
 */
export function metricsText(health: AgentHealth, residentBytes: number): string {
  return families
    .map(({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples(health, residentBytes).map(
          ({ labels = '', value }) => `${name}${labels} ${value}`,
        ),
      ].join('\n'),
    )
    .join('\n')
    .concat('\n');
}

import { createServer } from 'node:net';
import { StartFailure } from './failure.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The loopback ports of the embedded product, by the variable that moves each one. */
const defaults = {
  FIXPOINT_API_LISTEN: 8450,
  FIXPOINT_AGENT_LISTEN: 8451,
  FIXPOINT_GATEWAY_LISTEN: 8452,
  FIXPOINT_DEV_TEMPORAL_PORT: 7233,
  FIXPOINT_DEV_TEMPORAL_UI_PORT: 8233,
  FIXPOINT_DEV_REDIS_PORT: 8479,
  FIXPOINT_DEV_METRICS_PORT: 8460,
  FIXPOINT_DEV_DEMO_PORT: 8481,
} as const;

/** All ports of one embedded product. Metrics and demo ports follow their first one. */
export type Ports = {
  readonly api: number;
  readonly agentLink: number;
  readonly gateway: number;
  readonly temporal: number;
  readonly temporalUi: number;
  readonly redis: number;
  readonly metrics: {
    readonly api: number;
    readonly gateway: number;
    readonly workflows: number;
    readonly activities: number;
    readonly dispatcher: number;
  };
  readonly temporalMetrics: { readonly workflows: number; readonly activities: number };
  readonly demo: readonly number[];
};

/** The ports that `env` asks for. Throws a `StartFailure` that names the variable in error. */
export function portsOf(env: Environment, agents: number): Ports {
  const port = (name: keyof typeof defaults): number => {
    const given = env[name];
    if (given === undefined || given === '') return defaults[name];
    const number = Number(given.slice(given.lastIndexOf(':') + 1));
    const isLoopback = !given.includes(':') || given.startsWith('127.0.0.1:');
    if (Number.isInteger(number) && number > 0 && number < 65_536 && isLoopback) return number;
    throw new StartFailure(
      `${name} is ${given}`,
      'npm start listens on loopback only: give a port, or 127.0.0.1:port',
    );
  };
  const metrics = port('FIXPOINT_DEV_METRICS_PORT');
  const demo = port('FIXPOINT_DEV_DEMO_PORT');
  return {
    api: port('FIXPOINT_API_LISTEN'),
    agentLink: port('FIXPOINT_AGENT_LISTEN'),
    gateway: port('FIXPOINT_GATEWAY_LISTEN'),
    temporal: port('FIXPOINT_DEV_TEMPORAL_PORT'),
    temporalUi: port('FIXPOINT_DEV_TEMPORAL_UI_PORT'),
    redis: port('FIXPOINT_DEV_REDIS_PORT'),
    metrics: {
      api: metrics,
      gateway: metrics + 1,
      workflows: metrics + 2,
      activities: metrics + 3,
      dispatcher: metrics + 4,
    },
    temporalMetrics: { workflows: metrics + 5, activities: metrics + 6 },
    demo: Array.from({ length: agents }, (_, index) => demo + index),
  };
}

const agentsDefault = 3;
/** One process each, beside a demo service. */
const agentsMax = 30;

/** How many local agents `env` asks for; the suggestions name the first two. Throws a `StartFailure`. */
export function localAgents(env: Environment): number {
  const given = env['FIXPOINT_DEV_AGENTS'] || String(agentsDefault);
  const count = Number(given);
  if (Number.isInteger(count) && count >= 2 && count <= agentsMax) return count;
  throw new StartFailure(
    `FIXPOINT_DEV_AGENTS is ${given}`,
    `give a number of local agents from 2 to ${agentsMax}`,
  );
}

/** Which port is wanted for what, and by which variable it is moved. */
export type PortUse = { readonly port: number; readonly what: string; readonly variable: string };

/** Every port that will be listened on; those of outer servers are not among them. */
export function portUses(ports: Ports, outer: { redis: boolean; temporal: boolean }): PortUse[] {
  const use = (port: number, what: string, variable: keyof typeof defaults) => ({
    port,
    what,
    variable,
  });
  const metrics = [...Object.values(ports.metrics), ...Object.values(ports.temporalMetrics)];
  return [
    use(ports.api, 'the api', 'FIXPOINT_API_LISTEN'),
    use(ports.agentLink, 'the agent link', 'FIXPOINT_AGENT_LISTEN'),
    use(ports.gateway, 'the gateway', 'FIXPOINT_GATEWAY_LISTEN'),
    ...metrics.map((port) => use(port, 'metrics', 'FIXPOINT_DEV_METRICS_PORT')),
    ...ports.demo.map((port) => use(port, 'a demo service', 'FIXPOINT_DEV_DEMO_PORT')),
    ...(outer.redis ? [] : [use(ports.redis, 'Redis', 'FIXPOINT_DEV_REDIS_PORT')]),
    ...(outer.temporal
      ? []
      : [
          use(ports.temporal, 'Temporal', 'FIXPOINT_DEV_TEMPORAL_PORT'),
          use(ports.temporalUi, 'Temporal UI', 'FIXPOINT_DEV_TEMPORAL_UI_PORT'),
        ]),
  ];
}

/** Throws a `StartFailure` for the ports that somebody else has. */
export async function requireFree(uses: readonly PortUse[]): Promise<void> {
  const free = await Promise.all(uses.map(({ port }) => isFree(port)));
  const taken = uses.filter((_, index) => free[index] === false);
  if (taken.length === 0) return;
  const named = taken.map(({ port, what }) => `${port} (${what})`).join(', ');
  const variables = [...new Set(taken.map(({ variable }) => variable))].join(', ');
  throw new StartFailure(
    `${taken.length === 1 ? 'this port is' : 'these ports are'} taken: ${named}`,
    `end what listens there, or choose other ports by ${variables}`,
  );
}

// Ports.metrics and Ports.temporalMetrics together.
const metricsCount = 7;

/**
 * The environment of an embedded product beside others: the first ports in a row, from `first` on,
 * that nobody has, for so many local agents. They are not held: of two that ask at the same moment both may get the same.
 */
export async function embeddedPortsFrom(
  first: number,
  agents = agentsDefault,
): Promise<Record<string, string>> {
  // One demo service per agent.
  const from = await freePortsFrom(first, 6 + metricsCount + agents);
  return {
    FIXPOINT_DEV_AGENTS: String(agents),
    FIXPOINT_API_LISTEN: `127.0.0.1:${from}`,
    FIXPOINT_AGENT_LISTEN: `127.0.0.1:${from + 1}`,
    FIXPOINT_GATEWAY_LISTEN: `127.0.0.1:${from + 2}`,
    FIXPOINT_DEV_TEMPORAL_PORT: String(from + 3),
    FIXPOINT_DEV_TEMPORAL_UI_PORT: String(from + 4),
    FIXPOINT_DEV_REDIS_PORT: String(from + 5),
    FIXPOINT_DEV_METRICS_PORT: String(from + 6),
    FIXPOINT_DEV_DEMO_PORT: String(from + 6 + metricsCount),
  } satisfies Partial<Record<keyof typeof defaults | 'FIXPOINT_DEV_AGENTS', string>>;
}

/**
 * The first of `count` loopback ports in a row, from `first` on, that nobody has. They are not
 * held. Throws a `StartFailure` if there are none.
 */
export async function freePortsFrom(first: number, count: number): Promise<number> {
  for (let from = first; from + count < 65_536; from += count) {
    const all = Array.from({ length: count }, (_, at) => isFree(from + at));
    if ((await Promise.all(all)).every(Boolean)) return from;
  }
  throw new StartFailure(`no ${count} free ports in a row`, 'end some of what listens');
}

/** Whether nobody listens at the loopback port now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

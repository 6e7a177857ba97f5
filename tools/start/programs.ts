import { join } from 'node:path';
import { agentView } from '../../contracts/task.ts';
import type { Clock } from '../../platform/clock.ts';
import { provideAgentToken } from './agent-token.ts';
import { markName, ownMarkOf } from './ending.ts';
import { agentConfigFile, type LocalAgent } from './identities.ts';
import { clone, type Layout } from './layout.ts';
import type { PartSpec } from './part.ts';
import { isPlannable } from './plannable.ts';
import type { Ports } from './ports.ts';
import type { Secrets } from './secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What every program of one embedded product is started with. */
export type ProgramContext = {
  readonly layout: Layout;
  readonly ports: Ports;
  readonly secrets: Secrets;
  readonly redisUrl: string;
  readonly temporalAddress: string;
  readonly env: Environment;
};

const node = process.execPath;
const readyWithinMs = 60_000;
/** Of our own programs (domain/errors.ts); a server of others ends so when it crashes, too. */
const refusedExit = 2;
// Of our own environment; everything else a part gets is said below.
const passed = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];
const passedToPrograms = [
  'FIXPOINT_CONFIG',
  'FIXPOINT_LOG_LEVEL',
  'FIXPOINT_INTAKE_REPLICAS',
  'FIXPOINT_OPERATOR_TOKENS',
  'FIXPOINT_OPERATOR_TOKENS_FILE',
  'FIXPOINT_APPROVALS_FROM_TEMPORAL',
  'FIXPOINT_EGRESS_ALLOW',
  'FIXPOINT_CRASH_POINT',
];
const passedForTemporal = [
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_API_KEY_FILE',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
];

// The agent lives beside what it repairs and must be small (design 8). By default V8 keeps 16 MiB
// and more for young objects, of which an agent makes few.
export const agentFlags = ['--max-semi-space-size=1'];

/**
 * The part of `env` that every process gets, with the mark of the product it belongs to. From the
 * second start on Node finds our code compiled and without types, in the state directory unless `env`
 * names another, which saves each program what removes the types (17 MiB) and a third of its start.
 */
export function baseEnvironment(env: Environment, state: string): Record<string, string> {
  return {
    ...only(env, passed),
    [markName]: ownMarkOf(state),
    NODE_COMPILE_CACHE: env['NODE_COMPILE_CACHE'] || join(state, 'compile-cache'),
  };
}

function only(env: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

/** The gateway, which stops after the programs that submit to it, and these. */
export function programParts(context: ProgramContext): {
  readonly gateway: PartSpec;
  readonly programs: readonly PartSpec[];
} {
  const { env, ports, secrets } = context;
  const operator = { FIXPOINT_TOKEN_FILE: secrets.operatorTokenFile };
  const gateway = {
    FIXPOINT_GATEWAY_TOKEN_FILE: secrets.gatewayTokenFile,
    FIXPOINT_GATEWAY_URL: `http://127.0.0.1:${ports.gateway}`,
  };
  const callback = { FIXPOINT_CALLBACK_SECRET_FILE: secrets.callbackSecretFile };
  // Of whoever starts repairs: the workers, and the api for runs by hand.
  const calledBack = {
    FIXPOINT_CALLBACK_URL: `http://127.0.0.1:${ports.api}/v1/callbacks/tasks`,
  };
  const sdkMetrics = (port: number) => ({
    FIXPOINT_TEMPORAL_METRICS_LISTEN: `127.0.0.1:${port}`,
  });
  const worker = (role: 'workflows' | 'activities' | 'dispatcher', env: Record<string, string>) =>
    part(context, {
      name: role,
      entry: 'workers/main.ts',
      metrics: ports.metrics[role],
      env: { FIXPOINT_ROLE: role, ...calledBack, ...env },
    });
  return {
    gateway: part(context, {
      name: 'gateway',
      entry: 'agent-gateway/main.ts',
      metrics: ports.metrics.gateway,
      env: {
        ...operator,
        ...gateway,
        ...callback,
        FIXPOINT_AGENT_LISTEN: `127.0.0.1:${ports.agentLink}`,
        FIXPOINT_GATEWAY_LISTEN: `127.0.0.1:${ports.gateway}`,
        FIXPOINT_GATEWAY_ID: 'gateway-1',
        FIXPOINT_CERTIFICATES_DIR: context.layout.certificates,
      },
    }),
    programs: [
      part(context, {
        name: 'api',
        entry: 'api/main.ts',
        metrics: ports.metrics.api,
        env: {
          ...operator,
          ...gateway,
          ...callback,
          ...calledBack,
          FIXPOINT_API_LISTEN: `127.0.0.1:${ports.api}`,
          FIXPOINT_WEBHOOK_SECRET_ALERTMANAGER_FILE: secrets.webhookSecretFile,
        },
      }),
      worker('workflows', { ...gateway, ...sdkMetrics(ports.temporalMetrics.workflows) }),
      worker('activities', {
        ...gateway,
        FIXPOINT_SIGNING_KEY_FILE: secrets.signingKeyFile,
        FIXPOINT_ESCALATION_SECRET_FILE: secrets.escalationSecretFile,
        ...(env['TEMPORAL_ADDRESS']
          ? only(env, ['FIXPOINT_TEMPORAL_UI_URL'])
          : { FIXPOINT_TEMPORAL_UI_URL: `http://127.0.0.1:${ports.temporalUi}` }),
        ...sdkMetrics(ports.temporalMetrics.activities),
      }),
      worker('dispatcher', {}),
    ],
  };
}

function part(
  context: ProgramContext,
  of: { name: string; entry: string; metrics: number; env: Record<string, string> },
): PartSpec {
  const { env, layout } = context;
  return {
    name: of.name,
    command: node,
    args: [join(clone, of.entry)],
    env: {
      ...baseEnvironment(env, layout.state),
      ...only(env, [...passedToPrograms, ...passedForTemporal]),
      TEMPORAL_ADDRESS: context.temporalAddress,
      REDIS_URL: context.redisUrl,
      FIXPOINT_STATE_DIR: layout.state,
      FIXPOINT_POLICY_DIR: env['FIXPOINT_POLICY_DIR'] || join(clone, 'policies'),
      FIXPOINT_RUNBOOK_DIR: env['FIXPOINT_RUNBOOK_DIR'] || join(clone, 'runbooks'),
      FIXPOINT_METRICS_LISTEN: `127.0.0.1:${of.metrics}`,
      ...of.env,
    },
    logFile: join(layout.logs, `${of.name}.log`),
    answers: () => answersOk(`http://127.0.0.1:${of.metrics}/readyz`),
    readyWithinMs,
    restart: true,
    refusedExit,
  };
}

async function answersOk(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.body?.cancel();
  return answer.ok;
}

/** One local agent, enrolled at its first start. It answers once it is online and repairs are planned on it. */
export function agentPart(context: ProgramContext, agent: LocalAgent, clock: Clock): PartSpec {
  const { env, layout, ports, secrets } = context;
  const { name } = agent;
  const directory = layout.agent(name);
  const tokenFile = join(layout.secrets, `${name}.token`);
  const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
  const { operatorToken } = secrets;
  return {
    name,
    command: node,
    args: [...agentFlags, join(clone, 'agent/main.ts')],
    env: {
      ...baseEnvironment(env, layout.state),
      ...only(env, ['FIXPOINT_LOG_LEVEL', 'FIXPOINT_CRASH_POINT']),
      FIXPOINT_AGENT_GATEWAYS: `wss://127.0.0.1:${ports.agentLink}`,
      FIXPOINT_AGENT_STATE_DIR: directory,
      FIXPOINT_AGENT_CONFIG: agentConfigFile(directory),
      FIXPOINT_AGENT_TOKEN_FILE: tokenFile,
    },
    logFile: join(layout.logs, `${name}.log`),
    prepare: agent.isEnrolled
      ? undefined
      : () =>
          provideAgentToken({
            ...{ agent, gatewayUrl, operatorToken, clock },
            ...{ file: tokenFile, withinMs: readyWithinMs },
          }),
    answers: () => isOnline(context, name),
    readyWithinMs,
    restart: true,
    refusedExit,
  };
}

async function isOnline(context: ProgramContext, name: string): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${context.ports.gateway}/v1/agents/${name}`, {
    headers: { authorization: `Bearer ${context.secrets.gatewayToken}` },
    signal: AbortSignal.timeout(2_000),
  });
  const view = agentView.safeParse(await answer.json()).data;
  return view?.state === 'online' && (await isPlannable(context.redisUrl, view.id));
}

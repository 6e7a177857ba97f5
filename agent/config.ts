import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { userName } from '../contracts/task.ts';
import { FixpointError, type Flaw } from '../domain/errors.ts';
import { refusalOfCrashPoints } from '../platform/crash-point.ts';
import { knownGateways } from './identity-files.ts';

/** What the agent is told by its host. It takes no other orders than jobs from anywhere else. */
export type AgentConfig = {
  /** Those that the enrolment told, unless the host names others; none before it is enrolled. */
  readonly gateways: readonly string[];
  readonly stateDirectory: string;
  /** With it a host that has no identity yet is enrolled at its first start. */
  readonly tokenFile: string | undefined;
  readonly logLevel: string;
  /** Added to every job's environment; the host's owner says it, not the runbook. */
  readonly jobEnvironment: Readonly<Record<string, string>>;
  /** Where metrics and health are told; undefined: nowhere. Loopback only: they ask for no token. */
  readonly metricsListen: { readonly host: string; readonly port: number } | undefined;
  /** Users that jobs may run as; null if the host does not say: any but root. */
  readonly runAsAllow: readonly string[] | null;
  readonly crashPoint: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

const gateway = z.url({ protocol: /^wss$/ });
const logLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']);
const fileSchema = z.strictObject({
  jobEnvironment: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
  metricsListen: z.string().optional(),
  runAs: z.strictObject({ allow: z.array(userName) }).optional(),
});
type FileSettings = z.infer<typeof fileSchema>;
const loopback = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/;

/** The agent's settings. Throws `invalid_payload` with every flaw at once. */
export function loadAgentConfig(environment: Environment): AgentConfig {
  const flaws: Flaw[] = [];
  const stateDirectory = environment['FIXPOINT_AGENT_STATE_DIR'] || '/var/lib/fixpoint-agent';
  const tokenFile = environment['FIXPOINT_AGENT_TOKEN_FILE'] || undefined;
  const named = (environment['FIXPOINT_AGENT_GATEWAYS'] ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  const gateways = named.length > 0 ? named : knownGateways(stateDirectory);
  const isToldLater = gateways.length === 0 && tokenFile !== undefined;
  if (
    (gateways.length === 0 && !isToldLater) ||
    !gateways.every((each) => gateway.safeParse(each).success)
  ) {
    const fix = 'must list gateways as wss://host:port, separated by commas';
    flaws.push({ field: 'FIXPOINT_AGENT_GATEWAYS', value: gateways.join(','), fix });
  }
  const level = logLevel.safeParse(environment['FIXPOINT_LOG_LEVEL'] || 'info');
  if (!level.success) {
    flaws.push({
      field: 'FIXPOINT_LOG_LEVEL',
      fix: `must be one of ${logLevel.options.join(' ')}`,
    });
  }
  const file = readFile(environment['FIXPOINT_AGENT_CONFIG'] || undefined, flaws);
  const metricsListen = listenOf(
    environment['FIXPOINT_METRICS_LISTEN'] || file.metricsListen,
    flaws,
  );
  const crashPoint = environment['FIXPOINT_CRASH_POINT'] || undefined;
  const refusal = refusalOfCrashPoints({ addresses: gateways, stateDirectory });
  if (crashPoint !== undefined && refusal !== null) {
    flaws.push({ field: 'FIXPOINT_CRASH_POINT', fix: refusal });
  }
  if (flaws.length > 0 || !level.success) {
    const message = `the agent’s configuration has flaws: ${flaws.map(({ field, fix }) => `${field} ${fix}`).join('; ')}`;
    throw new FixpointError('invalid_payload', message, { flaws });
  }
  return {
    gateways,
    stateDirectory,
    tokenFile,
    logLevel: level.data,
    jobEnvironment: file.jobEnvironment,
    metricsListen,
    runAsAllow: file.runAs?.allow ?? null,
    crashPoint,
  };
}

function listenOf(text: string | undefined, flaws: Flaw[]): AgentConfig['metricsListen'] {
  if (text === undefined) return undefined;
  const [, host = '', port = ''] = loopback.exec(text) ?? [];
  if (host !== '' && Number(port) <= 65_535) {
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  }
  const fix = 'must be an address of this host alone, such as 127.0.0.1:8470';
  flaws.push({ field: 'FIXPOINT_METRICS_LISTEN', value: text, fix });
  return undefined;
}

function readFile(named: string | undefined, flaws: Flaw[]): FileSettings {
  const none = { jobEnvironment: {} };
  const path = named ?? 'agent.yaml';
  if (!existsSync(path)) {
    if (named !== undefined) {
      flaws.push({
        field: 'FIXPOINT_AGENT_CONFIG',
        value: named,
        fix: 'names a file that is not there',
      });
    }
    return none;
  }
  try {
    const parsed = fileSchema.safeParse(parse(readFileSync(path, 'utf8')) ?? {});
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      flaws.push({ field: `${path}: ${issue.path.join('.')}`, fix: issue.message });
    }
  } catch (error) {
    const fix = error instanceof Error ? error.message : 'cannot be read';
    flaws.push({ field: path, fix });
  }
  return none;
}

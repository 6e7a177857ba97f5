import { parseArgs } from 'node:util';
import type { AgentToken } from '../contracts/enrolment.ts';
import { defaultClocks } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import { systemClock } from '../platform/clock.ts';
import {
  armedCrashPoints,
  type CrashPoints,
  refusalOfCrashPoints,
} from '../platform/crash-point.ts';
import { createLog } from '../platform/log.ts';
import { Shutdown } from '../platform/shutdown.ts';
import { Agent } from './agent.ts';
import { loadAgentConfig } from './config.ts';
import { enrol, enrolPatiently, readTokenFile } from './enrolment.ts';
import { serveHealth } from './health-server.ts';
import { hasIdentity } from './identity-files.ts';
import { systemProcesses } from './process-table.ts';

const usage = `usage: node agent/main.ts                                       run the agent
       node agent/main.ts enrol --token-file F [--state-dir D]  make this host an agent
`;

/** `enrol`: once, by hand; the agent is started afterwards. */
async function enrolByHand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { 'token-file': { type: 'string' }, 'state-dir': { type: 'string' } },
  });
  const tokenFile = values['token-file'] ?? process.env['FIXPOINT_AGENT_TOKEN_FILE'];
  if (!tokenFile) throw new FixpointError('invalid_payload', `--token-file is missing\n${usage}`);
  const stateDirectory =
    values['state-dir'] ?? (process.env['FIXPOINT_AGENT_STATE_DIR'] || '/var/lib/fixpoint-agent');
  const token = readTokenFile(tokenFile);
  const crashAt = crashPointsFor(token, stateDirectory);
  const { agentId, name } = await enrol({ token, stateDirectory, crashAt, clock: systemClock });
  process.stdout.write(`enrolled as ${name} (${agentId}); the identity is in ${stateDirectory}\n`);
}

/** Of a host that has no gateways yet but those of its token. */
function crashPointsFor(token: AgentToken, stateDirectory: string): CrashPoints<'agent'> {
  const armed = process.env['FIXPOINT_CRASH_POINT'];
  const refusal = refusalOfCrashPoints({ addresses: token.gateways, stateDirectory });
  if (armed && refusal !== null) {
    throw new FixpointError('invalid_payload', `FIXPOINT_CRASH_POINT ${refusal}`);
  }
  return armedCrashPoints(armed, 'agent');
}

async function run(): Promise<void> {
  let config = loadAgentConfig(process.env);
  const log = createLog({ program: 'agent', level: config.logLevel });
  const { stateDirectory, tokenFile } = config;
  if (tokenFile !== undefined && !hasIdentity(stateDirectory)) {
    const token = readTokenFile(tokenFile);
    const crashAt = crashPointsFor(token, stateDirectory);
    const enrolled = await enrolPatiently({
      ...{ token, stateDirectory, crashAt, clock: systemClock, log },
    });
    log.info(enrolled, 'this host was enrolled');
    // Now it is known where the gateways are.
    config = loadAgentConfig(process.env);
  }
  const shutdown = new Shutdown(log);
  const agent = Agent.onHost({
    ...config,
    processes: systemProcesses,
    clock: systemClock,
    log,
    crashAt: armedCrashPoints(config.crashPoint, 'agent'),
    killGraceMs: defaultClocks.killGraceMs,
    killWaitMs: 5_000,
    leaseWaitMs: defaultClocks.leaseWaitMs,
    resendAfterMs: 1_000,
  });
  shutdown.add('agent', () => agent.stop());
  shutdown.onSignal();
  if (config.metricsListen !== undefined) {
    const health = await serveHealth({ ...config.metricsListen, health: () => agent.health() });
    shutdown.add('health', () => health.close());
  }
  await agent.start();
}

const [command, ...rest] = process.argv.slice(2);
try {
  if (command === undefined) await run();
  else if (command === 'enrol') await enrolByHand(rest);
  else throw new FixpointError('invalid_payload', `there is no ${command}\n${usage}`);
} catch (error) {
  const isOurs = error instanceof FixpointError;
  const isUsage = error instanceof TypeError && command === 'enrol';
  process.stderr.write(`fixpoint agent: ${isOurs || isUsage ? error.message : String(error)}\n`);
  if (isOurs && error.hint !== undefined) process.stderr.write(`  hint: ${error.hint}\n`);
  process.exitCode = isOurs || isUsage ? 2 : 1;
}

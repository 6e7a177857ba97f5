import { defaultClocks } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { armedCrashPoints } from '../platform/crash-point.ts';
import { createLog } from '../platform/log.ts';
import { Shutdown } from '../platform/shutdown.ts';
import { Agent } from './agent.ts';
import { loadAgentConfig } from './config.ts';
import { serveHealth } from './health-server.ts';
import { systemProcesses } from './process-table.ts';

try {
  const config = loadAgentConfig(process.env);
  const log = createLog({ program: 'agent', level: config.logLevel });
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
} catch (error) {
  const isOurs = error instanceof FixpointError;
  process.stderr.write(`fixpoint agent: ${isOurs ? error.message : String(error)}\n`);
  process.exitCode = isOurs ? 2 : 1;
}

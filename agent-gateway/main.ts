import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { Config } from '../contracts/config.ts';
import { FixpointError } from '../domain/errors.ts';
import { AuditLog } from '../platform/audit.ts';
import { systemClock } from '../platform/clock.ts';
import { loadConfig, processEnvironment } from '../platform/config.ts';
import { armedCrashPoints } from '../platform/crash-point.ts';
import { listenAddress } from '../platform/listen-address.ts';
import { createLog, type Log } from '../platform/log.ts';
import { Metrics, serveMetrics } from '../platform/metrics.ts';
import { runProgram } from '../platform/program.ts';
import { Shutdown } from '../platform/shutdown.ts';
import { type ConnectionProfile, connectRedis } from '../redis/connect.ts';
import { startGateway } from './server.ts';

async function main(): Promise<void> {
  const config = loadConfig(processEnvironment());
  const log = createLog({ program: 'gateway', level: config.logLevel });
  const shutdown = new Shutdown(log);
  shutdown.onSignal();
  const metrics = new Metrics();
  const gateway = await startGateway({
    redis: connectAll(config, log, shutdown),
    gatewayId: config.gatewayId ?? `${hostname()}-${process.pid}`,
    url: config.gatewayUrl,
    agents: listenAddress(config.agentListen),
    http: listenAddress(config.gatewayListen),
    agentGateways: config.agentGateways ?? [],
    certificatesDir: config.certificatesDir,
    audit: new AuditLog({
      directory: join(config.stateDir, 'audit'),
      // Several gateways may share the folder, and each chain has one writer.
      writer: `gateway-${(config.gatewayId ?? hostname()).replaceAll(/[^A-Za-z0-9.-]/g, '_')}`,
      clock: systemClock,
    }),
    ...tokensOf(config),
    callbackSecret: firstSecret(config),
    egressAllow: config.egressAllow,
    clocks: config.clocks,
    metrics,
    crash: armedCrashPoints(config.crashPoint, 'gateway'),
    clock: systemClock,
    log,
  });
  shutdown.add('gateway', () => gateway.stop());
  const { readiness } = gateway;
  const address = listenAddress(config.metricsListen ?? '127.0.0.1:8461');
  const server = await serveMetrics({ ...address, metrics, readiness });
  shutdown.add('metrics', () => void server.close());
}

/** Who may ask this gateway for what. Approvers decide at the api; at a gateway they only look. */
function tokensOf(config: Config) {
  const shared = partsOf(config.operatorToken).map((token) => ({ name: 'operator', token }));
  const acting = config.operatorTokens.filter(
    ({ role }) => role === 'operator' || role === 'admin',
  );
  const operators = [...shared, ...acting];
  return {
    operators,
    tokens: [...partsOf(config.gatewayToken), ...operators.map(({ token }) => token)],
    readTokens: config.operatorTokens.map(({ token }) => token),
  };
}

/** Connections: one that fails at once, one that waits, one that blocks, one that subscribes. Closed last. */
function connectAll(config: Config, log: Log, shutdown: Shutdown) {
  const connect = (profile: ConnectionProfile): Redis => {
    let isAway = false;
    const redis = connectRedis({
      url: config.redisUrl,
      profile,
      onError: (error) => {
        // Every attempt to reconnect reports; one line per outage is enough.
        if (!isAway) log.warn({ error, profile }, 'Redis is away');
        isAway = true;
      },
    });
    redis.on('ready', () => {
      isAway = false;
    });
    shutdown.add(`redis ${profile}`, () => redis.disconnect());
    return redis;
  };
  return {
    request: connect('request'),
    background: connect('background'),
    blocking: connect('blocking'),
    subscriber: connect('blocking'),
  };
}

const partsOf = (setting: string | undefined): readonly string[] =>
  (setting ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** Of two secrets, as during a rotation, the first signs. */
function firstSecret(config: Config): string {
  const [secret] = partsOf(config.callbackSecret);
  if (secret !== undefined) return secret;
  throw new FixpointError('invalid_payload', 'FIXPOINT_CALLBACK_SECRET must be set', {
    hint: 'callbacks are signed with it; the api checks them with the same one',
  });
}

await runProgram('gateway', main);

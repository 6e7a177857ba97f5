import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { Redis } from 'ioredis';
import type { Config } from '../contracts/config.ts';
import type { OperatorToken } from '../contracts/operator-token.ts';
import { FixpointError } from '../domain/errors.ts';
import { AuditLog } from '../platform/audit.ts';
import { systemClock } from '../platform/clock.ts';
import { loadConfig, processEnvironment } from '../platform/config.ts';
import { armedCrashPoints } from '../platform/crash-point.ts';
import { listenAddress } from '../platform/listen-address.ts';
import { createLog, type Log } from '../platform/log.ts';
import { serveMetrics } from '../platform/metrics.ts';
import { flawLine, loadPolicyFiles, type PolicySet } from '../platform/policy-files.ts';
import { runProgram } from '../platform/program.ts';
import { Shutdown } from '../platform/shutdown.ts';
import { quickReconnect, temporalOptions } from '../platform/temporal.ts';
import { connectRedis } from '../redis/connect.ts';
import { connectedAgents } from '../redis/connected-agents.ts';
import { controlCache } from '../redis/control-cache.ts';
import { Deliveries } from '../redis/deliveries.ts';
import { durabilityFlaws } from '../redis/durability.ts';
import { Governor } from '../redis/governor.ts';
import { Intake } from '../redis/intake.ts';
import { keptInventory } from '../redis/inventory.ts';
import { MassSense } from '../redis/mass-sense.ts';
import { secretsOf } from './auth.ts';
import type { Check } from './health-routes.ts';
import { ApiMetrics } from './intake-metrics.ts';
import { sharedOperator } from './operator-identity.ts';
import { type ApiDeps, startApi } from './server.ts';

const clock = systemClock;

await runProgram('api', main);

async function main(): Promise<void> {
  const config = loadConfig(processEnvironment());
  const log = createLog({ program: 'api', level: config.logLevel });
  const shutdown = new Shutdown(log);
  shutdown.onSignal();
  const policies = await loadPolicies(config);
  const redis = connectRedisOf(config, log);
  shutdown.add('redis', () => redis.disconnect());
  const client = connectTemporal(config, shutdown);
  const intake = new Intake({
    client: redis,
    entriesMax: config.intakeEntriesMax,
    replicas: config.intakeReplicas,
  });
  const metrics = new ApiMetrics({ intake, clock });
  const checks = checksOf(redis, client, config.temporalNamespace);
  const metricsServer = await serveMetrics({
    ...listenAddress(config.metricsListen ?? '127.0.0.1:8460'),
    metrics,
    readiness: Object.fromEntries(
      checks.filter(({ isNeeded }) => isNeeded).map(({ name, run }) => [name, run]),
    ),
  });
  shutdown.add('metrics', () => void metricsServer.close());
  const deps = { intake, client, policies, metrics, checks, log };
  const api = await startApi(apiDeps(config, redis, deps), listenAddress(config.apiListen));
  shutdown.add('api', () => api.close());
  log.info({ url: api.url, policies: policies.policies.length }, 'ready');
}

type Made = Pick<ApiDeps, 'intake' | 'client' | 'policies' | 'metrics' | 'checks' | 'log'>;

function apiDeps(config: Config, redis: Redis, made: Made): ApiDeps {
  if (config.webhookSecret === undefined) {
    made.log.warn({}, 'no webhook secret is set: every webhook gets 401');
  }
  return {
    ...made,
    deliveries: new Deliveries(redis),
    control: controlCache(redis),
    inventory: keptInventory(redis),
    held: () => new Governor({ redis, clock }).heldByDomain(),
    connected: (agentIds) => {
      const sinceMs = clock.now() - config.clocks.agentLateMs;
      return connectedAgents(redis, { agentIds, sinceMs });
    },
    blastRadius: config.guards.blastRadius,
    stormOf: (policy) =>
      new MassSense({ client: redis, windowMs: config.clocks.massWindowMs }).stormOf(policy),
    audit: new AuditLog({ directory: join(config.stateDir, 'audit'), writer: 'api', clock }),
    operators: operatorsOf(config),
    webhookSecrets: secretsOf(config.webhookSecret),
    callbackSecrets: secretsOf(config.callbackSecret),
    clock,
    clocks: config.clocks,
    callbackUrl: config.callbackUrl,
    approvalsFromTemporal: config.approvalsFromTemporal,
    crash: armedCrashPoints(config.crashPoint, 'api'),
  };
}

/** The token that all share, and those of people. */
function operatorsOf({ operatorToken, operatorTokens }: Config): readonly OperatorToken[] {
  const shared = secretsOf(operatorToken).map((token) => ({ ...sharedOperator, token }));
  return [...shared, ...operatorTokens];
}

/** Lazy, because alerts are to be taken in while Temporal is away, also at start. */
function connectTemporal(config: Config, shutdown: Shutdown): Client {
  const connection = Connection.lazy({ ...temporalOptions(config), ...quickReconnect });
  shutdown.add('temporal', () => connection.close());
  return new Client({ connection, namespace: config.temporalNamespace });
}

/** Says once per outage that Redis is away: ioredis reports every attempt to reconnect. */
function connectRedisOf(config: Config, log: Log): Redis {
  let isAway = false;
  const redis = connectRedis({
    url: config.redisUrl,
    profile: 'request',
    onError: (error) => {
      if (!isAway) log.warn({ error }, 'Redis is away');
      isAway = true;
    },
  });
  redis.on('ready', () => {
    isAway = false;
  });
  redis.once('ready', () => void sayDurability(redis, log));
  return redis;
}

async function loadPolicies(from: Config): Promise<PolicySet> {
  const files = await loadPolicyFiles(from);
  if (files.kind === 'loaded') return files.set;
  const lines = files.flaws.map(flawLine).join('\n');
  throw new FixpointError('invalid_payload', `the policies have flaws:\n${lines}`);
}

function checksOf(of: Redis, temporal: Client, namespace: string): readonly Check[] {
  return [
    { name: 'redis', isNeeded: true, run: () => of.ping().then(() => null) },
    {
      name: 'temporal',
      isNeeded: false,
      run: () =>
        temporal.withDeadline(clock.now() + 2_000, async () => {
          await temporal.workflowService.describeNamespace({ namespace });
          return null;
        }),
    },
  ];
}

async function sayDurability(of: Redis, to: Log): Promise<void> {
  for (const flaw of await durabilityFlaws(of)) to.warn({ flaw }, 'Redis is weaker than it may be');
}

import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { Redis } from 'ioredis';
import type { Config } from '../contracts/config.ts';
import { FixpointError } from '../domain/errors.ts';
import { AuditLog } from '../platform/audit.ts';
import { systemClock } from '../platform/clock.ts';
import { loadConfig, processEnvironment } from '../platform/config.ts';
import { armedCrashPoints } from '../platform/crash-point.ts';
import { listenAddress } from '../platform/listen-address.ts';
import { createLog, type Log } from '../platform/log.ts';
import { serveMetrics } from '../platform/metrics.ts';
import { flawLine, loadPolicyFiles, type PolicySet } from '../platform/policy-files.ts';
import { Shutdown } from '../platform/shutdown.ts';
import { quickReconnect, temporalOptions } from '../platform/temporal.ts';
import { connectRedis } from '../redis/connect.ts';
import { Deliveries } from '../redis/deliveries.ts';
import { durabilityFlaws } from '../redis/durability.ts';
import { Intake } from '../redis/intake.ts';
import { secretsOf } from './auth.ts';
import type { Check } from './health-routes.ts';
import { ApiMetrics } from './intake-metrics.ts';
import { startApi } from './server.ts';

const clock = systemClock;
const config = loadConfig(processEnvironment());
const log = createLog({ program: 'api', level: config.logLevel });
const shutdown = new Shutdown(log);
shutdown.onSignal();

const policies = await loadPolicies(config);
const redis = connectRedis({
  url: config.redisUrl,
  profile: 'request',
  onError: onRedisError(log),
});
shutdown.add('redis', () => redis.disconnect());
redis.once('ready', () => void sayDurability(redis, log));

// Lazy, because alerts are to be taken in while Temporal is away, also at start.
const connection = Connection.lazy({ ...temporalOptions(config), ...quickReconnect });
const client = new Client({ connection, namespace: config.temporalNamespace });
shutdown.add('temporal', () => connection.close());

const intake = new Intake({
  client: redis,
  entriesMax: config.intakeEntriesMax,
  replicas: config.intakeReplicas,
});
const metrics = new ApiMetrics({ intake, clock });
const checks = checksOf(redis, client);

const metricsServer = await serveMetrics({
  ...listenAddress(config.metricsListen ?? '127.0.0.1:8460'),
  metrics,
  readiness: Object.fromEntries(
    checks.filter(({ isNeeded }) => isNeeded).map(({ name, run }) => [name, run]),
  ),
});
shutdown.add('metrics', () => void metricsServer.close());

if (config.webhookSecret === undefined) log.warn({}, 'no webhook secret: every webhook gets 401');
const api = await startApi(
  {
    intake,
    deliveries: new Deliveries(redis),
    client,
    policies,
    audit: new AuditLog({ directory: join(config.stateDir, 'audit'), writer: 'api', clock }),
    metrics,
    checks,
    operatorSecrets: secretsOf(config.operatorToken),
    webhookSecrets: secretsOf(config.webhookSecret),
    callbackSecrets: secretsOf(config.callbackSecret),
    clock,
    log,
    crash: armedCrashPoints(config.crashPoint, 'api'),
  },
  listenAddress(config.apiListen),
);
shutdown.add('api', () => api.close());
log.info({ url: api.url, policies: policies.policies.length }, 'the api listens');

async function loadPolicies(from: Config): Promise<PolicySet> {
  const files = await loadPolicyFiles(from);
  if (files.kind === 'loaded') return files.set;
  for (const flaw of files.flaws) log.error({ flaw: flawLine(flaw) }, 'a policy file has a flaw');
  throw new FixpointError('invalid_payload', `${files.flaws.length} flaws in policy files`);
}

function checksOf(of: Redis, temporal: Client): readonly Check[] {
  return [
    { name: 'redis', isNeeded: true, run: () => of.ping().then(() => null) },
    {
      name: 'temporal',
      isNeeded: false,
      run: () =>
        temporal.withDeadline(clock.now() + 2_000, async () => {
          await temporal.workflowService.describeNamespace({ namespace: config.temporalNamespace });
          return null;
        }),
    },
  ];
}

/** Once per outage: ioredis reports every attempt to reconnect. */
function onRedisError(to: Log): (error: Error) => void {
  let isAway = false;
  return (error) => {
    if (isAway) return;
    to.warn({ error }, 'Redis is away');
    isAway = true;
    redis.once('ready', () => {
      isAway = false;
    });
  };
}

async function sayDurability(of: Redis, to: Log): Promise<void> {
  for (const flaw of await durabilityFlaws(of)) to.warn({ flaw }, 'Redis is weaker than it may be');
}

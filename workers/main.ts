import { hostname } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type { Config } from '../contracts/config.ts';
import { FixpointError } from '../domain/errors.ts';
import { AuditLog } from '../platform/audit.ts';
import { systemClock } from '../platform/clock.ts';
import { loadConfig, processEnvironment } from '../platform/config.ts';
import { armedCrashPoints, noCrashPoints } from '../platform/crash-point.ts';
import { createLog, type Log } from '../platform/log.ts';
import { Metrics, serveMetrics } from '../platform/metrics.ts';
import { flawLine, loadPolicyFiles } from '../platform/policy-files.ts';
import { runProgram } from '../platform/program.ts';
import { Shutdown } from '../platform/shutdown.ts';
import { quickReconnect, temporalOptions } from '../platform/temporal.ts';
import { type ConnectionProfile, connectRedis } from '../redis/connect.ts';
import { controlCache } from '../redis/control-cache.ts';
import { Governor } from '../redis/governor.ts';
import { IntakeEntries } from '../redis/intake-entries.ts';
import { keptInventory } from '../redis/inventory.ts';
import { LockWishes } from '../redis/lock-wishes.ts';
import { MassSense } from '../redis/mass-sense.ts';
import { Watchdogs } from '../redis/watchdogs.ts';
import { activityMetrics } from './activity-metrics.ts';
import { type ActivityWorkerDeps, createActivityWorkers } from './activity-worker.ts';
import { breakerCalls } from './breaker-calls.ts';
import { startDispatcher } from './dispatcher.ts';
import { ed25519Signer } from './ed25519-signer.ts';
import { escalationPost } from './escalation-post.ts';
import { FleetView } from './fleet-view.ts';
import { gatewayClient } from './gateway-client.ts';
import { HoldsKeeper } from './holds-keeper.ts';
import { Janitor } from './janitor.ts';
import { pageAsker } from './page-asker.ts';
import { PolicyStore } from './policy-store.ts';
import { remediationStarter } from './remediation-starter.ts';
import { repairQuestions } from './repair-questions.ts';
import { startGate } from './start-gate.ts';
import { StopTeller } from './stop-teller.ts';
import { installRuntime } from './worker-runtime.ts';
import { createWorkflowWorker } from './workflow-worker.ts';

type Role = NonNullable<Config['role']>;

/** What every role stands on. */
type Base = {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly shutdown: Shutdown;
  readonly client: Client;
};

const metricsPorts: Record<Role, number> = { workflows: 8462, activities: 8463, dispatcher: 8464 };

async function main(): Promise<void> {
  const config = loadConfig(processEnvironment());
  const { role } = config;
  if (role === undefined) {
    throw new FixpointError(
      'invalid_payload',
      'FIXPOINT_ROLE must be workflows, activities or dispatcher',
    );
  }
  const log = createLog({ program: role, level: config.logLevel });
  const shutdown = new Shutdown(log);
  shutdown.onSignal();
  if (role !== 'dispatcher') installRuntime({ log, metricsAddress: config.temporalMetricsListen });
  const client = await connectClient(config, shutdown);
  const metrics = new Metrics();
  const base: Base = { config, log, metrics, shutdown, client };
  await starts[role](base);
  const [host, port] = addressOf(config.metricsListen ?? `127.0.0.1:${metricsPorts[role]}`);
  const readiness = { temporal: () => isReachable(client) };
  const server = await serveMetrics({ host, port, metrics, readiness });
  shutdown.add('metrics', () => {
    server.close();
  });
  log.info({ role }, 'ready');
}

const starts: Record<Role, (base: Base) => Promise<void>> = {
  workflows: startWorkflows,
  activities: startActivities,
  dispatcher: startDispatching,
};

async function startWorkflows(base: Base): Promise<void> {
  const policies = await policyStore(base.config);
  const crashPoints = armedCrashPoints(base.config.crashPoint, 'workflows');
  const starter = remediationStarter({ client: base.client, crashPoints });
  const breakers = breakerCalls({ client: base.client, clock: systemClock });
  const { massWindowMs } = base.config.clocks;
  const redis = redisClient(base, 'background');
  const sense = new MassSense({ client: redis, windowMs: massWindowMs });
  const asking = redisClient(base, 'request');
  const control = controlCache(asking);
  const worker = await createWorkflowWorker({
    connection: await nativeConnection(base),
    namespace: base.config.temporalNamespace,
    log: base.log,
    mailbox: {
      findPolicy: (name) => policies.find(name),
      guards: startGate({
        ...{ policies, massWindowMs, clock: systemClock },
        stormOf: (policy) => sense.stormOf(policy),
        control,
        tryBreaker: (of) => breakers.try(of),
      }),
      start: (input) => starter.start(input),
      startedWith: (id) => starter.startedWith(id),
      tell: (input) => starter.tell(input),
      clocks: base.config.clocks,
      callbackUrl: base.config.callbackUrl,
    },
    questions: repairQuestions({
      ...base,
      redis: asking,
      clock: systemClock,
      crash: crashPoints,
    }),
  });
  runWorkers(base, [worker]);
}

async function startActivities(base: Base): Promise<void> {
  const { config, client } = base;
  const redis = redisClient(base, 'background');
  const crash = armedCrashPoints(config.crashPoint, 'activities');
  // Only tells mailboxes here, which has its crash point in the activity.
  const starter = remediationStarter({ client, crashPoints: noCrashPoints });
  const gateway = gatewayClient({
    url: config.gatewayUrl,
    token: needed(config.gatewayToken, 'FIXPOINT_GATEWAY_TOKEN'),
    timeoutMs: config.clocks.submitTryMs,
  });
  const signer = ed25519Signer(needed(config.signingKey, 'FIXPOINT_SIGNING_KEY'));
  const control = controlCache(redis);
  const governor = new Governor({ redis, clock: systemClock });
  const counted = activityMetrics(base.metrics);
  const tellMailbox = starter.tellMailbox;
  const breakers = breakerCalls({ client, clock: systemClock });
  const questions = repairQuestions({ ...base, redis, clock: systemClock, crash: noCrashPoints });
  const workers = await createActivityWorkers({
    connection: await nativeConnection(base),
    namespace: config.temporalNamespace,
    log: base.log,
    core: {
      audit: new AuditLog({
        directory: join(config.stateDir, 'audit'),
        writer: 'activities',
        clock: systemClock,
      }),
      tellMailbox,
      tellBreaker: (signal) => breakers.tell(signal),
      governor,
      inventory: questions.inventory,
      questions,
      askPage: pageAsker(systemClock),
      watchdogHeard: (watchdog) => new Watchdogs(redis).lastHeard(watchdog),
      egressAllow: config.egressAllow,
      ...escalationDeps(config),
      escalated: counted.escalated,
      counted: counted.ended,
      control,
      crash,
    },
    gateway: { gateway, signer, crash },
  });
  runWorkers(base, workers);
  const stopping = new AbortController();
  const { janitorMs, controlRefreshMs, rebuildLookMs, rebuildSettleMs } = config.clocks;
  const keeper = new HoldsKeeper({
    ...{ client, governor, clock: systemClock, log: base.log },
    ...{ rebuildLookMs, rebuildSettleMs, seen: counted.holdsSeen },
  }).run(stopping.signal);
  const janitor = new Janitor({
    client,
    clock: systemClock,
    log: base.log,
    gateway,
    governor,
    control,
    lockWishes: new LockWishes(redis),
    tellMailbox,
    tellBreaker: (signal) => breakers.tell(signal),
    controlSeen: counted.controlSeen,
    crash,
    janitorMs,
    controlRefreshMs,
  }).run(stopping.signal);
  const teller = new StopTeller({
    ...{ client, control, clock: systemClock, log: base.log, controlRefreshMs },
  }).run(stopping.signal);
  base.shutdown.add('janitor', async () => {
    stopping.abort();
    await Promise.all([janitor, keeper, teller]);
  });
}

function escalationDeps(
  config: Config,
): Pick<ActivityWorkerDeps['core'], 'postEscalation' | 'pageOf'> {
  const { escalationSecret: secret, temporalUiUrl, temporalNamespace } = config;
  return {
    postEscalation:
      secret === undefined ? undefined : escalationPost({ secret, clock: systemClock }),
    pageOf: (id) =>
      temporalUiUrl === undefined
        ? null
        : `${temporalUiUrl.replace(/\/+$/, '')}/namespaces/${temporalNamespace}/workflows/${encodeURIComponent(id)}`,
  };
}

async function startDispatching(base: Base): Promise<void> {
  const { config } = base;
  const redis = redisClient(base, 'background');
  const dispatcher = startDispatcher({
    entries: new IntakeEntries({
      client: redis,
      blocking: redisClient(base, 'blocking'),
      consumer: `${hostname()}-${process.pid}`,
    }),
    sense: new MassSense({ client: redis, windowMs: config.clocks.massWindowMs }),
    fleet: new FleetView({ inventory: keptInventory(redis), clock: systemClock }),
    client: base.client,
    policies: await policyStore(config),
    alertDirectory: join(config.stateDir, 'alerts'),
    clocks: config.clocks,
    callbackUrl: config.callbackUrl,
    clock: systemClock,
    log: base.log,
    metrics: base.metrics,
    crash: armedCrashPoints(config.crashPoint, 'dispatcher'),
  });
  base.shutdown.add('dispatcher', () => dispatcher.stop());
}

/** The policies, or an error with every flaw at its place in its file. */
async function policyStore(config: Config): Promise<PolicyStore> {
  const files = await loadPolicyFiles(config);
  if (files.kind === 'flawed') {
    const lines = files.flaws.map(flawLine).join('\n');
    throw new FixpointError('invalid_payload', `the policies have flaws:\n${lines}`);
  }
  return new PolicyStore(files.set);
}

/** Runs workers until shutdown; one that ends by itself ends the process, to be started again. */
function runWorkers(base: Base, workers: readonly Worker[]): void {
  const running = Promise.all(workers.map((worker) => worker.run()));
  running.catch((error: unknown) => {
    base.log.error({ error }, 'a worker ended');
    process.exit(1);
  });
  base.shutdown.add('workers', async () => {
    for (const worker of workers) {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    }
    await running;
  });
}

async function connectClient(config: Config, shutdown: Shutdown): Promise<Client> {
  const connection = await Connection.connect({ ...temporalOptions(config), ...quickReconnect });
  shutdown.add('temporal', () => connection.close());
  return new Client({ connection, namespace: config.temporalNamespace });
}

async function nativeConnection(base: Base): Promise<NativeConnection> {
  const connection = await NativeConnection.connect(temporalOptions(base.config));
  base.shutdown.add('temporal workers', () => connection.close());
  return connection;
}

function redisClient(base: Base, profile: ConnectionProfile) {
  const client = connectRedis({
    url: base.config.redisUrl,
    profile,
    onError: (error) => base.log.debug({ error }, 'Redis is not reached'),
  });
  base.shutdown.add('redis', () => client.disconnect());
  return client;
}

async function isReachable(client: Client): Promise<string | null> {
  await client.connection.withDeadline(systemClock.now() + 2_000, () =>
    client.workflowService.getSystemInfo({}),
  );
  return null;
}

function needed(value: string | undefined, name: string): string {
  if (value !== undefined) return value;
  throw new FixpointError('invalid_payload', `${name} or ${name}_FILE must be set`);
}

function addressOf(listen: string): [string, number] {
  const at = listen.lastIndexOf(':');
  return [listen.slice(0, at).replace(/^\[|\]$/g, ''), Number(listen.slice(at + 1))];
}

await runProgram('workers', main);

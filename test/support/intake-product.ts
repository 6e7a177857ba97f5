import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { ApiMetrics } from '../../api/intake-metrics.ts';
import { type ApiDeps, startApi } from '../../api/server.ts';
import { type Clocks, defaultClocks, limits } from '../../contracts/limits.ts';
import { AuditLog } from '../../platform/audit.ts';
import { systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import type { PolicySet } from '../../platform/policy-files.ts';
import { quickReconnect } from '../../platform/temporal.ts';
import { connectRedis } from '../../redis/connect.ts';
import { controlCache } from '../../redis/control-cache.ts';
import { Deliveries } from '../../redis/deliveries.ts';
import { Intake } from '../../redis/intake.ts';
import { IntakeEntries } from '../../redis/intake-entries.ts';
import { keptInventory } from '../../redis/inventory.ts';
import { MassSense } from '../../redis/mass-sense.ts';
import { startDispatcher } from '../../workers/dispatcher.ts';
import { FleetView } from '../../workers/fleet-view.ts';
import { PolicyStore } from '../../workers/policy-store.ts';

export const webhookSecret = 'webhook-secret-of-tests';
export const operatorToken = 'operator-token-of-tests';
export const callbackSecret = `whsec_${Buffer.from('callback-secret-of-tests').toString('base64')}`;

/** Something that was started, with what to undo when it stops. */
type Running<T> = T & { stop(): Promise<void> };

/** A client of a Temporal that may be away. */
export function temporalClient(address: string): Running<{ readonly client: Client }> {
  const connection = Connection.lazy({ address, ...quickReconnect });
  return { client: new Client({ connection }), stop: () => connection.close() };
}

/** The api, whole, on a port of its own. */
export async function startTestApi(of: {
  readonly redisUrl: string;
  readonly client: Client;
  readonly policies: PolicySet;
  readonly entriesMax?: number;
  readonly over?: Partial<ApiDeps>;
}): Promise<Running<{ readonly url: string; readonly stateDir: string }>> {
  const stateDir = await mkdtemp(join(tmpdir(), 'fixpoint-api-'));
  const redis = connectRedis({ url: of.redisUrl, profile: 'request', onError: () => {} });
  const clock = systemClock;
  const intake = new Intake({
    client: redis,
    entriesMax: of.entriesMax ?? limits.intakeEntriesMax,
    replicas: 0,
  });
  const api = await startApi(
    {
      intake,
      deliveries: new Deliveries(redis),
      client: of.client,
      control: controlCache(redis),
      policies: of.policies,
      inventory: keptInventory(redis),
      held: async () => new Map(),
      connected: async () => new Set(),
      stormOf: async () => null,
      blastRadius: undefined,
      audit: new AuditLog({ directory: join(stateDir, 'audit'), writer: 'api', clock }),
      metrics: new ApiMetrics({ intake, clock }),
      checks: [{ name: 'redis', isNeeded: true, run: () => redis.ping().then(() => null) }],
      operators: [{ name: 'operator', role: 'admin', token: operatorToken }],
      webhookSecrets: [webhookSecret],
      callbackSecrets: [callbackSecret],
      clock,
      clocks: defaultClocks,
      callbackUrl: 'http://127.0.0.1:1/v1/callbacks/tasks',
      approvalsFromTemporal: true,
      log: silentLog,
      crash: noCrashPoints,
      ...of.over,
    },
    { host: '127.0.0.1', port: 0 },
  );
  return {
    url: api.url,
    stateDir,
    async stop() {
      await api.close();
      redis.disconnect();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** A dispatcher with its own connections; `kill` leaves everything as a dead process would. */
export async function startTestDispatcher(of: {
  readonly redisUrl: string;
  readonly client: Client;
  readonly policies: PolicySet;
  readonly clocks?: Partial<Clocks>;
}): Promise<Running<{ readonly alertDirectory: string }>> {
  const alertDirectory = await mkdtemp(join(tmpdir(), 'fixpoint-alerts-'));
  const client = connectRedis({ url: of.redisUrl, profile: 'background', onError: () => {} });
  const blocking = connectRedis({ url: of.redisUrl, profile: 'blocking', onError: () => {} });
  const clocks = { ...defaultClocks, ...of.clocks };
  dispatchers += 1;
  const dispatcher = startDispatcher({
    entries: new IntakeEntries({ client, blocking, consumer: `test-${dispatchers}` }),
    sense: new MassSense({ client, windowMs: clocks.massWindowMs }),
    fleet: new FleetView({ inventory: keptInventory(client), clock: systemClock }),
    client: of.client,
    policies: new PolicyStore(of.policies),
    alertDirectory,
    clocks,
    callbackUrl: 'http://127.0.0.1:1/v1/callbacks/tasks',
    clock: systemClock,
    log: silentLog,
    metrics: new Metrics(),
    crash: noCrashPoints,
  });
  return {
    alertDirectory,
    async stop() {
      await dispatcher.stop();
      client.disconnect();
      blocking.disconnect();
      await rm(alertDirectory, { recursive: true, force: true });
    },
  };
}

let dispatchers = 0;

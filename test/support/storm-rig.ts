import { defaultClocks } from '../../contracts/limits.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRedis } from '../../redis/connect.ts';
import { MassSense } from '../../redis/mass-sense.ts';
import { aBody, anEntry, postOk, scrapeSettled } from './alertmanager-posts.ts';
import { startCoreWorkers } from './core-workers.ts';
import { startTestApi, startTestDispatcher, temporalClient } from './intake-product.ts';
import { policySet } from './policy-set.ts';
import { startRedis } from './redis-server.ts';
import { RepairLoop } from './repair-loop.ts';
import { startTemporal } from './temporal-server.ts';

/**
 * From the webhook to the hosts that are not there, on real servers: api, dispatchers and the loop
 * of mailboxes and repairs, whose workers run while `working` has something to do.
 */
export async function startStormRig(of: {
  readonly policies: readonly string[];
  readonly hosts: readonly string[];
  readonly dispatchers?: number;
}) {
  const [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
  const client = temporalClient(temporal.address);
  const cache = connectRedis({ url: redis.url, profile: 'background', onError: () => {} });
  const policies = await policySet(...of.policies);
  const parts = { redisUrl: redis.url, client: client.client, policies };
  const api = await startTestApi(parts);
  const dispatchers = await Promise.all(
    Array.from({ length: of.dispatchers ?? 1 }, () => startTestDispatcher(parts)),
  );
  await scrapeSettled(api.url); // Redis is reached.
  const { massWindowMs } = defaultClocks;
  const sense = new MassSense({ client: cache, windowMs: massWindowMs });
  const loop = new RepairLoop({
    ...{ client: client.client, policies, hosts: of.hosts },
    stormOf: (policy) => sense.stormOf(policy),
  });
  return {
    ...{ client: client.client, url: api.url, loop },
    /** Runs `work` beside the workers of the loop. */
    async working<T>(work: () => Promise<T>): Promise<T> {
      const { address } = temporal;
      const workers = await startCoreWorkers({
        address,
        activities: loop.activities,
        gateway: true,
      });
      try {
        return await work();
      } finally {
        await workers.stop();
      }
    },
    async stop() {
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()));
      await api.stop();
      cache.disconnect();
      await client.stop();
      await redis.stop();
      await temporal.stop();
    },
  };
}

/** Alerts of as many hosts, each with its own; `service` is what their policy matches. */
export const entriesOf = (service: string, hosts: readonly string[]) =>
  hosts.map((host) =>
    anEntry({
      labels: { alertname: 'HostDown', instance: `${host}:9100`, service },
      fingerprint: `${service}-${host}`,
    }),
  );

/** Posts bodies at a steady rate, and answers when each was answered, Unix ms. */
export async function postSteadily(
  url: string,
  of: { readonly entries: readonly unknown[]; readonly perBody: number; readonly withinMs: number },
): Promise<number[]> {
  const answeredMs: number[] = [];
  const bodies = Math.ceil(of.entries.length / of.perBody);
  const begunMs = systemClock.monotonic();
  for (let body = 0; body < bodies; body += 1) {
    const dueMs = begunMs + (body * of.withinMs) / bodies - systemClock.monotonic();
    if (dueMs > 0) await systemClock.sleep(dueMs);
    const from = body * of.perBody;
    await postOk(url, aBody(of.entries.slice(from, from + of.perBody)));
    answeredMs.push(systemClock.now());
  }
  return answeredMs;
}

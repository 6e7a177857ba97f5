import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import type { Holds } from '../../domain/blast-radius.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRedis } from '../../redis/connect.ts';
import { Governor } from '../../redis/governor.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

/** A governor on a Redis of its own. */
export type GovernorSite = {
  readonly server: RedisServer;
  readonly redis: Redis;
  readonly governor: Governor;
  /** Makes holds trusted, with none of them. */
  open(): Promise<void>;
  stop(): Promise<void>;
};

export async function startGovernorSite(): Promise<GovernorSite> {
  const server = await startRedis();
  const redis = connectRedis({ url: server.url, profile: 'background', onError: () => {} });
  const governor = new Governor({ redis, clock: systemClock });
  return {
    ...{ server, redis, governor },
    async open() {
      await redis.flushall();
      assert.equal(await governor.reopen(await rebuildOf(governor)), true);
    },
    async stop() {
      redis.disconnect();
      await server.stop();
    },
  };
}

/** The token of a rebuild that begins or goes on. */
export async function rebuildOf(governor: Governor): Promise<string> {
  const begun = await governor.beginRebuild();
  assert.equal(begun.kind, 'rebuilding');
  return begun.kind === 'rebuilding' ? begun.token : '';
}

const dump = `
  local found = {}
  for _, key in ipairs(redis.call('KEYS', 'fx:{gov}:*')) do
    local kind = redis.call('TYPE', key).ok
    found[#found + 1] = { key, redis.call(kind == 'hash' and 'HGETALL' or 'SMEMBERS', key) }
  end
  return found`;

/** Every key of holds by its last part, hashes as `field=value`, sorted. */
export async function keysOf(redis: Redis): Promise<Readonly<Record<string, readonly string[]>>> {
  const found = (await redis.eval(dump, 0)) as [string, string[]][]; // As the script says.
  const entries = found.map(([key, values]): [string, string[]] => {
    const name = key.slice('fx:{gov}:'.length);
    const isHash = ['held', 'places', 'meta'].includes(name);
    return [name, (isHash ? pairsOf(values) : values).sort()];
  });
  return Object.fromEntries(entries.filter(([name]) => name !== 'meta'));
}

const pairsOf = (values: readonly string[]): string[] =>
  values.flatMap((field, at) => (at % 2 === 0 ? [`${field}=${values[at + 1]}`] : []));

/** What `keysOf` must find for these holds. */
export function keysFor(holds: Holds): Readonly<Record<string, readonly string[]>> {
  const keys = new Map<string, Set<string>>();
  const put = (key: string, value: string) =>
    void keys.set(key, (keys.get(key) ?? new Set()).add(value));
  for (const [agentId, { remediationId, domains, service, wasHealthy }] of holds) {
    const counted = service !== null && wasHealthy ? { service } : {};
    put('held', `${agentId}=${remediationId}`);
    put('places', `${agentId}=${JSON.stringify({ domains, ...counted })}`);
    put(`holder:${remediationId}`, agentId);
    put('holders', remediationId);
    for (const domain of domains) {
      put(`domain:${domain}`, agentId);
      put('domains', domain);
    }
    if (counted.service === undefined) continue;
    put(`service:${counted.service}`, agentId);
    put('services', counted.service);
  }
  return Object.fromEntries([...keys].map(([key, values]) => [key, [...values].sort()]));
}

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { connectRedis } from '../../redis/connect.ts';
import { IntakeEntries } from '../../redis/intake-entries.ts';
import { keys } from '../../redis/keys.ts';
import { eventually } from '../support/eventually.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

describe('a blocking read', () => {
  let redis: RedisServer;
  let raw: Redis;
  let blocking: Redis | undefined;
  before(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
  });
  after(async () => {
    blocking?.disconnect();
    raw.disconnect();
    await redis.stop();
  });

  it('whose connection breaks rejects: what it was given is asked for, not waited for', async () => {
    blocking = connectRedis({ url: redis.url, profile: 'blocking', onError: () => {} });
    const entries = new IntakeEntries({ client: raw, blocking, consumer: 'reader' });
    await entries.read({ count: 1, blockMs: 1 });
    await raw.xadd(keys.intake.stream, '*', 'source', 'test', 'delivery', 'd', 'alert', '{}');
    await raw.xreadgroup(
      ...(['GROUP', keys.intake.group, 'reader', 'COUNT', 1] as const),
      ...(['STREAMS', keys.intake.stream, '>'] as const),
    );
    const id = await blocking.client('ID');

    // Nothing is new: the entry's answer went down with the connection, and Redis has it as given.
    const reading = entries.read({ count: 1, blockMs: 5_000 });
    reading.catch(() => {}); // Heard below.
    await eventually(async () => assert.match(String(await raw.client('LIST')), /flags=b/));
    await raw.client('KILL', 'ID', id);

    await assert.rejects(reading);
    assert.equal((await entries.given()).length, 1);
  });
});

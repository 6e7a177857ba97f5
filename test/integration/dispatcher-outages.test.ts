import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { defaultClocks } from '../../contracts/limits.ts';
import type { PolicySet } from '../../platform/policy-files.ts';
import { IntakeEntries } from '../../redis/intake-entries.ts';
import { keys } from '../../redis/keys.ts';
import {
  aBody,
  anEntry,
  postOk,
  type Scrape,
  scrape,
  scrapeSettled,
} from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { startTestApi, startTestDispatcher, temporalClient } from '../support/intake-product.ts';
import { mailboxesOf } from '../support/mailbox-history.ts';
import { aPolicyText, policySetWith } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const claimMs = 600;

describe('what a dispatcher does while parts are away', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;
  let policies: PolicySet;
  let raw: Redis;
  let fatesBefore: Scrape['fates'];

  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    client = temporalClient(temporal.address);
    raw = new Redis(redis.url);
    raw.on('error', () => {}); // Redis is killed on purpose here.
    policies = await policySetWith(
      { ...defaultClocks, lingerMinMs: 1_000 },
      aPolicyText(
        'web',
        'match: { source: alertmanager }',
        // A mailbox lingers one second, so that an entry is late after half of it.
        'guards: { cooldown: 0s, maxRuns: { count: 1, window: 1s }, massHosts: off }',
      ),
    );
    api = await startTestApi({ redisUrl: redis.url, client: client.client, policies });
  });
  beforeEach(async () => {
    fatesBefore = (await scrape(api.url)).fates;
  });
  after(async () => {
    await api.stop();
    await client.stop();
    raw.disconnect();
    await redis.stop();
    await temporal.stop();
  });

  const started: { stop(): Promise<void> }[] = [];
  const startDispatcher = async (intakeClaimMs = claimMs) => {
    const dispatcher = await startTestDispatcher({
      redisUrl: redis.url,
      client: client.client,
      policies,
      clocks: { intakeClaimMs },
    });
    started.push(dispatcher);
    return dispatcher;
  };
  // Those of a test that failed: they would keep this process alive.
  afterEach(async () => {
    for (const dispatcher of started.splice(0)) await dispatcher.stop();
  });
  const bodyOf = (service: string, over: Readonly<Record<string, unknown>> = {}) =>
    aBody([anEntry({ labels: { alertname: 'Down', service }, fingerprint: service, ...over })]);
  /** Fates added since the test began, once nothing waits any more. */
  const settled = async (withinMs?: number) => {
    const { fates } = await scrapeSettled(api.url, withinMs);
    return Object.fromEntries(
      Object.entries(fates)
        .map(([fate, count]) => [fate, count - (fatesBefore[fate] ?? 0)] as const)
        .filter(([, count]) => count !== 0),
    );
  };
  const alertsOf = async (service: string) =>
    (await mailboxesOf(client.client, `:${service}~`)).flatMap(({ alerts }) => alerts);
  /** A dispatcher that took everything and died before it handled any of it. */
  const takeAndDie = async () => {
    const dead = new IntakeEntries({ client: raw, blocking: raw, consumer: 'dead' });
    return dead.read({ count: 100, blockMs: 100 });
  };

  it('an entry that a dead dispatcher left is handed by another one', async () => {
    await postOk(api.url, bodyOf('left'));
    assert.equal((await takeAndDie()).length, 1);
    const dispatcher = await startDispatcher(100);

    const fates = await settled();
    await dispatcher.stop();

    assert.deepEqual(fates, { handed: 1 });
    await eventually(async () => assert.equal((await alertsOf('left')).length, 1));
  });

  it('a firing left too long opens nothing: held(stale); a resolved is recorded', async () => {
    await postOk(api.url, bodyOf('stale'));
    const resolved = { status: 'resolved', endsAt: '2026-01-01T01:00:00Z' };
    await postOk(api.url, bodyOf('over', resolved));
    assert.equal((await takeAndDie()).length, 2);
    const dispatcher = await startDispatcher();

    const fates = await settled();
    await dispatcher.stop();

    assert.deepEqual(fates, { 'held(stale)': 1, recorded: 1 });
    assert.equal((await alertsOf('stale')).length, 0);
  });

  it('a firing left too long reaches a mailbox that is open, marked as late', async () => {
    const dispatcher = await startDispatcher();
    await postOk(api.url, bodyOf('open'));
    await settled();
    await dispatcher.stop();
    await postOk(api.url, bodyOf('open', { startsAt: '2026-01-01T00:00:20Z' }));
    assert.equal((await takeAndDie()).length, 1);
    const other = await startDispatcher();

    const fates = await settled();
    await other.stop();

    assert.deepEqual(fates, { handed: 2 });
    await eventually(async () =>
      assert.deepEqual(
        (await alertsOf('open')).map(({ late }) => late),
        [false, true],
      ),
    );
  });

  it('an entry ended by two dispatchers is counted once', async () => {
    await postOk(api.url, bodyOf('twice'));
    const [entry] = await takeAndDie();
    assert.ok(entry);
    const entries = new IntakeEntries({ client: raw, blocking: raw, consumer: 'dead' });
    const end = { fates: [{ kind: 'handed' as const }], record: null, quarantined: null };

    const answers = await Promise.all(
      [1, 2, 3].map(() => entries.end(entry, { ...end, receivedAtMs: 1 })),
    );

    assert.deepEqual(answers.sort(), [false, false, true]);
    assert.deepEqual(await settled(), { handed: 1 });
  });

  it('an entry that is no alert is quarantined and stops nothing behind it', async () => {
    await raw.xadd(keys.intake.stream, '*', 'source', 'alertmanager', 'alert', '{"x":');
    await raw.hincrby(keys.intake.fates, 'alertmanager|received', 1);
    await postOk(api.url, bodyOf('behind'));
    const dispatcher = await startDispatcher();

    const fates = await settled();
    await dispatcher.stop();

    assert.deepEqual(fates, { quarantined: 1, handed: 1 });
  });

  it('Redis killed and started again under a running dispatcher: all is handed', async () => {
    const dispatcher = await startDispatcher(60_000);
    await postOk(api.url, bodyOf('redis0'));
    await settled();

    for (let round = 1; round <= 3; round += 1) {
      await postOk(api.url, bodyOf(`redis${round}`));
      await redis.kill();
      await redis.restart();
      await eventually(() => postOk(api.url, bodyOf(`again${round}`)));
    }
    const fates = await settled();
    await dispatcher.stop();

    assert.equal(fates['handed'], 7);
    for (const name of ['redis1', 'redis2', 'redis3', 'again3']) {
      await eventually(async () => assert.ok((await alertsOf(name)).length >= 1, name));
    }
  });

  it('Temporal hanging and then killed: webhooks are answered, and all is handed later', async () => {
    const dispatcher = await startDispatcher();
    temporal.pause();
    for (let at = 0; at < 10; at += 1) await postOk(api.url, bodyOf(`hang${at}`));
    temporal.resume();
    await temporal.kill();
    for (let at = 0; at < 10; at += 1) await postOk(api.url, bodyOf(`killed${at}`));
    const other = await startDispatcher();
    await temporal.restart();

    const fates = await settled(60_000);
    await Promise.all([dispatcher.stop(), other.stop()]);

    assert.deepEqual(fates, { handed: 20 });
    for (const name of ['hang', 'killed']) {
      for (let at = 0; at < 10; at += 1) {
        const service = `${name}${at}`;
        await eventually(async () => assert.ok((await alertsOf(service)).length >= 1, service));
      }
    }
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DeliveryView } from '../../contracts/http.ts';
import { connectRedis } from '../../redis/connect.ts';
import { Watchdogs } from '../../redis/watchdogs.ts';
import {
  aBody,
  anEntry,
  operate,
  postOk,
  scrape,
  scrapeSettled,
} from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { startTestApi, startTestDispatcher, temporalClient } from '../support/intake-product.ts';
import { mailboxesOf } from '../support/mailbox-history.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const watchdog = { source: 'alertmanager', alertname: 'Watchdog' };
const post = (url: string, over: Readonly<Record<string, unknown>> = {}) =>
  postOk(
    url,
    aBody([
      anEntry({ labels: { alertname: 'Watchdog' }, fingerprint: 'dddddddddddddddd', ...over }),
    ]),
  );

describe('a watchdog that comes in', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;
  let dispatcher: Awaited<ReturnType<typeof startTestDispatcher>>;
  let connection: ReturnType<typeof connectRedis>;
  let watchdogs: Watchdogs;

  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    client = temporalClient(temporal.address);
    const policies = await policySet(
      aPolicyText(
        'all',
        'match: { source: alertmanager }',
        'group: { by: [alertname], wait: 0s }',
        'verify: { source: { watchdog: { alertname: Watchdog } } }',
      ),
    );
    const of = { redisUrl: redis.url, client: client.client, policies };
    api = await startTestApi(of);
    dispatcher = await startTestDispatcher(of);
    connection = connectRedis({ url: redis.url, profile: 'background', onError: () => {} });
    watchdogs = new Watchdogs(connection);
  });
  after(async () => {
    connection.disconnect();
    await dispatcher.stop();
    await api.stop();
    await client.stop();
    await redis.stop();
    await temporal.stop();
  });

  it('is recorded, starts nothing even where a policy takes everything, and is told why', async () => {
    const beganMs = Date.now();

    await post(api.url);
    const { fates } = await scrapeSettled(api.url);

    const listing = await operate(api.url, '/v1/alerts?limit=1');
    const { items } = (await listing.json()) as { items: DeliveryView[] };
    assert.equal(fates['alertmanager recorded'] ?? fates['recorded'], 1, JSON.stringify(fates));
    assert.match(items[0]?.outcomes[0]?.detail ?? '', /its source lives/);
    assert.deepEqual(await mailboxesOf(client.client, 'all'), []);
    assert.ok((await watchdogs.lastHeard(watchdog)) ?? 0 >= beganMs);
  });

  it('is heard again by each repeat, which is counted as the duplicate that it is', async () => {
    await post(api.url);
    await scrapeSettled(api.url);
    const heardMs = (await watchdogs.lastHeard(watchdog)) ?? 0;
    const before = await scrape(api.url);

    await eventually(async () => {
      await post(api.url);
      assert.ok(((await watchdogs.lastHeard(watchdog)) ?? 0) > heardMs);
    });

    const { fates } = await scrapeSettled(api.url);
    assert.notDeepEqual(fates, before.fates);
    assert.deepEqual(
      Object.keys(fates).filter((fate) => fates[fate] !== before.fates[fate]),
      Object.keys(fates).filter((fate) => fate.includes('duplicate')),
    );
  });

  it('that has ended shows nothing', async () => {
    const heardMs = await watchdogs.lastHeard(watchdog);

    await post(api.url, { status: 'resolved', endsAt: new Date().toISOString() });
    await scrapeSettled(api.url);

    assert.equal(await watchdogs.lastHeard(watchdog), heardMs);
  });

  it('of another name, which no policy names, is an alert like another', async () => {
    await post(api.url, { labels: { alertname: 'Heartbeat' }, fingerprint: 'eeeeeeeeeeeeeeee' });
    await scrapeSettled(api.url);

    assert.equal(await watchdogs.lastHeard({ ...watchdog, alertname: 'Heartbeat' }), null);
    await eventually(async () => assert.equal((await mailboxesOf(client.client, 'all')).length, 1));
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DeliveryView } from '../../contracts/http.ts';
import {
  aBody,
  anEntry,
  operate,
  postOk,
  type Scrape,
  scrape,
  scrapeSettled,
} from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { startTestApi, startTestDispatcher, temporalClient } from '../support/intake-product.ts';
import { mailboxesOf } from '../support/mailbox-history.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const always = 'maintenance: [{ cron: "* * * * *", for: 1h, timeZone: Europe/Berlin }]';
const matching = (service: string) =>
  `match: { source: alertmanager, matchers: ['service="${service}"'] }`;

describe('what a policy leaves alone', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;
  let dispatcher: Awaited<ReturnType<typeof startTestDispatcher>>;

  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    client = temporalClient(temporal.address);
    const policies = await policySet(
      aPolicyText('shielded', matching('lab'), `guards: { shield: ['env="lab"'] }`),
      aPolicyText('resting', matching('rest'), `guards: { ${always} }`, 'continue: true'),
      aPolicyText('awake', matching('rest')),
    );
    const of = { redisUrl: redis.url, client: client.client, policies };
    api = await startTestApi(of);
    dispatcher = await startTestDispatcher(of);
  });
  after(async () => {
    await dispatcher.stop();
    await api.stop();
    await client.stop();
    await redis.stop();
    await temporal.stop();
  });

  /** What one entry added to the counters, and what is told of it. */
  async function posted(service: string, over: Readonly<Record<string, unknown>> = {}) {
    const before: Scrape = await scrape(api.url);
    const labels = { alertname: 'ServiceDown', instance: 'web1:9100', service, env: 'lab' };
    await postOk(api.url, aBody([anEntry({ labels, fingerprint: `of-${service}`, ...over })]));
    const { fates } = await scrapeSettled(api.url);
    const listing = await operate(api.url, '/v1/alerts?limit=1');
    const { items } = (await listing.json()) as { items: DeliveryView[] };
    return {
      fates: Object.entries(fates)
        .filter(([fate, count]) => count > (before.fates[fate] ?? 0))
        .map(([fate]) => fate)
        .sort(),
      details: (items[0]?.outcomes ?? []).map(({ policy, detail }) => [policy, detail]),
    };
  }

  it('a shielded firing opens no mailbox, and says by which matchers', async () => {
    const { fates, details } = await posted('lab');

    assert.deepEqual(fates, ['suppressed(shielded)']);
    assert.deepEqual(details, [['shielded', 'env="lab"']]);
    assert.deepEqual(await mailboxesOf(client.client, 'shielded'), []);
  });

  it('its resolved is recorded like any other', async () => {
    const { fates } = await posted('lab', { status: 'resolved', endsAt: '2026-01-02T00:00:00Z' });

    assert.deepEqual(fates, ['recorded']);
  });

  it('in a window of one policy the copy of another is handed; the window and its end are told', async () => {
    const { fates, details } = await posted('rest');

    assert.deepEqual(fates, ['handed', 'suppressed(maintenance)']);
    const [[policy, detail], other] = [details[0] ?? [], details[1]];
    assert.equal(policy, 'resting');
    assert.match(detail ?? '', /^"\* \* \* \* \*" Europe\/Berlin for 1h, until 20\d\d-.*Z$/);
    assert.deepEqual(other, ['awake', undefined]);
    const mailboxes = await eventually(async () => {
      const found = await mailboxesOf(client.client, ':rest~');
      assert.equal(found.length, 1);
      return found;
    });
    assert.equal(mailboxes[0]?.input.policy, 'awake');
  });

  it('a resolved passes the window, to a mailbox that is open', async () => {
    const { fates } = await posted('rest', { status: 'resolved', endsAt: '2026-01-02T00:00:00Z' });

    assert.deepEqual(fates, ['handed', 'recorded']);
  });
});

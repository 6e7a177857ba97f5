import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AlertRef } from '../../contracts/temporal.ts';
import { EpisodeBook } from '../../domain/episode.ts';
import {
  aBody,
  anEntry,
  operate,
  postOk,
  type Scrape,
  scrape,
  scrapeAllTheTime,
  scrapeSettled,
} from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { startTestApi, startTestDispatcher, temporalClient } from '../support/intake-product.ts';
import { mailboxesOf } from '../support/mailbox-history.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

describe('fates of alerts, from the webhook to the mailbox', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;
  let dispatcher: Awaited<ReturnType<typeof startTestDispatcher>>;
  let scraping: ReturnType<typeof scrapeAllTheTime>;

  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    client = temporalClient(temporal.address);
    const policies = await policySet(
      aPolicyText(
        'copied',
        'match: { source: alertmanager, matchers: [\'service=~"copy.*"\'] }',
        'continue: true',
      ),
      aPolicyText('web', 'match: { source: alertmanager, matchers: [\'service!="nobody"\'] }'),
      aPolicyText('never', 'match: { source: alertmanager }', 'group: { by: [__proto__] }'),
    );
    const of = { redisUrl: redis.url, client: client.client, policies };
    api = await startTestApi(of);
    dispatcher = await startTestDispatcher(of);
    scraping = scrapeAllTheTime(api.url);
  });
  after(async () => {
    const { scrapes, withBacklog } = await scraping.stop();
    assert.ok(
      scrapes > 500 && withBacklog > 10,
      `${scrapes} scrapes, ${withBacklog} with a backlog`,
    );
    await dispatcher.stop();
    await api.stop();
    await client.stop();
    await redis.stop();
    await temporal.stop();
  });

  /** What a step added to the counters, once nothing waits any more. */
  const fatesOf = async (work: () => Promise<unknown>): Promise<Scrape['fates']> => {
    const before = await scrape(api.url);
    await work();
    const now = await scrapeSettled(api.url);
    return Object.fromEntries(
      Object.entries(now.fates)
        .map(([fate, count]) => [fate, count - (before.fates[fate] ?? 0)] as const)
        .filter(([, count]) => count !== 0),
    );
  };
  const entryOf = (service: string, over: Readonly<Record<string, unknown>> = {}) =>
    anEntry({
      labels: { alertname: 'ServiceDown', instance: 'web1:9100', service },
      fingerprint: `of-${service}`,
      ...over,
    });
  /** Temporal's listings follow with a short delay. */
  const signalsOf = (service: string, count = 1) =>
    eventually(async () => {
      const found = await mailboxesOf(client.client, `:${service}~`);
      assert.equal(found.length, count);
      return found;
    });

  it('one body ten times: handed once, a duplicate nine times', async () => {
    const body = aBody([entryOf('tenfold')]);

    const fates = await fatesOf(async () => {
      for (let round = 0; round < 10; round += 1) await postOk(api.url, body);
    });

    assert.deepEqual(fates, { handed: 1, duplicate: 9 });
    const [mailbox] = await signalsOf('tenfold');
    assert.equal(mailbox?.alerts.length, 1);
    assert.deepEqual(mailbox.input.group, [['service', 'tenfold']]);
    const [view] = await itemsOf(api.url, '/v1/alerts?limit=1');
    assert.equal(view?.['duplicates'], 9);
    assert.equal(view['state'], 'handed');
  });

  it('two senders at once, 100 rounds: one each', async () => {
    const fates = await fatesOf(async () => {
      for (let round = 0; round < 100; round += 1) {
        const body = aBody([entryOf('both', { fingerprint: `round-${round}` })]);
        await Promise.all([postOk(api.url, body), postOk(api.url, body)]);
      }
    });

    assert.deepEqual(fates, { handed: 100, duplicate: 100 });
    const [mailbox] = await signalsOf('both');
    const fingerprints = mailbox?.alerts.map(({ fingerprint }) => fingerprint) ?? [];
    assert.equal(new Set(fingerprints).size, 100);
    assert.equal(fingerprints.length, 100);
  });

  it('resolved with nothing open is recorded; the older firing after it is suppressed', async () => {
    const startsAt = '2026-01-01T00:00:10.000000001Z';
    const endsAt = '2026-01-01T00:00:10.000000002Z';
    const resolved = entryOf('late', { status: 'resolved', startsAt, endsAt });

    const first = await fatesOf(() => postOk(api.url, aBody([resolved])));
    const second = await fatesOf(() => postOk(api.url, aBody([entryOf('late', { startsAt })])));
    await signalsOf('late', 0);
    const third = await fatesOf(() =>
      postOk(api.url, aBody([entryOf('late', { startsAt: endsAt })])),
    );

    assert.deepEqual(first, { recorded: 1 });
    assert.deepEqual(second, { 'suppressed(resolved)': 1 });
    assert.deepEqual(third, { handed: 1 }, 'an end is not before a start of the same nanosecond');
  });

  it('a startsAt moved backwards while the mailbox is open is handed to it, not to a second one', async () => {
    const at = (startsAt: string) => aBody([entryOf('back', { startsAt })]);

    const fates = await fatesOf(async () => {
      await postOk(api.url, at('2026-01-01T00:00:10Z'));
      await signalsOf('back');
      await postOk(api.url, at('2026-01-01T00:00:05Z'));
    });

    assert.deepEqual(fates, { handed: 2 });
    const [mailbox] = await signalsOf('back');
    assert.deepEqual(
      mailbox?.alerts.map(({ startsAt, late }) => [startsAt, late]),
      [
        ['2026-01-01T00:00:10Z', false],
        ['2026-01-01T00:00:05Z', false],
      ],
    );
    const book = new EpisodeBook(undefined);
    for (const alert of mailbox?.alerts ?? []) book.fold(alert);
    assert.equal(book.open().length, 1, 'both are one episode');
  });

  it('firing, resolved, then an older firing: the open mailbox hears of the first two alone', async () => {
    const startsAt = '2026-01-01T00:00:10Z';
    const endsAt = '2026-01-01T00:00:20Z';
    const post = (over: Readonly<Record<string, unknown>>) =>
      fatesOf(() => postOk(api.url, aBody([entryOf('over', { startsAt, ...over })])));

    const firing = await post({});
    const resolved = await post({ status: 'resolved', endsAt });
    const older = await post({ startsAt: '2026-01-01T00:00:05Z' });

    assert.deepEqual(firing, { handed: 1 });
    assert.deepEqual(resolved, { handed: 1 });
    assert.deepEqual(older, { 'suppressed(resolved)': 1 });
    const [mailbox] = await signalsOf('over');
    assert.deepEqual(
      mailbox?.alerts.map(({ status }) => status),
      ['firing', 'resolved'],
    );
  });

  it('of a body with flaws the good entries reach their mailbox, and each bad one is quarantined', async () => {
    const { labels } = entryOf('mixed');
    const text = JSON.stringify(
      aBody([
        entryOf('mixed', { fingerprint: 'good1' }),
        entryOf('mixed', { labels: undefined }),
        entryOf('mixed', { labels: { ...labels, note: 'x'.repeat(100_000) } }),
        entryOf('mixed', { fingerprint: 'good2', labels: { ...labels, PROTO: 'legal' } }),
      ]),
    ).replace('PROTO', '__proto__');

    const fates = await fatesOf(() => postOk(api.url, text));

    assert.deepEqual(fates, { handed: 2, quarantined: 2 });
    const [mailbox] = await signalsOf('mixed');
    assert.deepEqual(
      mailbox?.alerts.map((alert) => [alert.fingerprint, new Map(alert.labels).get('__proto__')]),
      [
        ['good1', undefined],
        ['good2', 'legal'],
      ],
    );
  });

  it('a body whose list was cut is held, whatever it says', async () => {
    const body = aBody([entryOf('cut')], { truncatedAlerts: 3 });

    const fates = await fatesOf(() => postOk(api.url, body));

    assert.deepEqual(fates, { 'held(truncated)': 1 });
    await signalsOf('cut', 0);
  });

  it('continue hands a copy to the next policy, counted as received too', async () => {
    const before = await scrape(api.url);

    const fates = await fatesOf(() => postOk(api.url, aBody([entryOf('copy1')])));

    assert.deepEqual(fates, { handed: 2 });
    assert.equal((await scrape(api.url)).received - before.received, 2);
    const policies = (await signalsOf('copy1', 2)).map(({ input }) => input.policy);
    assert.deepEqual(policies.sort(), ['copied', 'web']);
  });

  it('the first policy in file order wins, and __proto__ is a label like any other', async () => {
    const text = JSON.stringify(aBody([entryOf('nobody')])).replace(
      '"service"',
      '"__proto__":"p","service"',
    );

    const fates = await fatesOf(() => postOk(api.url, text));

    assert.deepEqual(fates, { handed: 1 });
    const [mailbox] = await signalsOf('p');
    assert.deepEqual(mailbox?.input.group, [['__proto__', 'p']]);
    assert.deepEqual(mailbox.alerts[0]?.labels[0], ['__proto__', 'p']);
  });

  it('300 alerts of one group take a few signals, in order and each within the limits', async () => {
    const entries = Array.from({ length: 300 }, (_, at) =>
      entryOf('many', { fingerprint: `many-${String(at).padStart(3, '0')}` }),
    );

    const fates = await fatesOf(() => postOk(api.url, aBody(entries)));

    assert.deepEqual(fates, { handed: 300 });
    const [mailbox] = await signalsOf('many');
    assert.ok((mailbox?.signals.length ?? 99) <= 6, `${mailbox?.signals.length} signals`);
    const order = mailbox?.alerts.map(({ fingerprint }) => fingerprint) ?? [];
    assert.deepEqual(order, [...order].sort());
    for (const signal of mailbox?.signals ?? []) {
      assert.ok(signal.alerts.length <= 250);
      assert.ok(JSON.stringify(signal).length <= 66_000);
    }
  });

  it('every alert stands in the file of its day', async () => {
    const [name] = await readdir(dispatcher.alertDirectory);
    const text = await readFile(join(dispatcher.alertDirectory, name ?? ''), 'utf8');
    const alerts = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AlertRef);

    assert.match(name ?? '', /^\d{4}-\d{2}-\d{2}\.jsonl$/);
    const { fates } = await scrape(api.url);
    const duplicates = fates['duplicate'] ?? 0;
    const quarantined = fates['quarantined'] ?? 0;
    const copies = 1;
    const { received } = await scrape(api.url);
    assert.equal(alerts.length, received - duplicates - quarantined - copies);
  });
});

const itemsOf = async (url: string, path: string): Promise<Record<string, unknown>[]> =>
  ((await (await operate(url, path)).json()) as { items: Record<string, unknown>[] }).items;

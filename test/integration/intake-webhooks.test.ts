import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { quarantinedPage } from '../../cli/answers.ts';
import { limits } from '../../contracts/limits.ts';
import { aBody, anEntry, operate, post, postOk, scrape } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { startTestApi, temporalClient } from '../support/intake-product.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

describe('webhooks into the intake, without a dispatcher', () => {
  let redis: RedisServer;
  let temporal: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;

  before(async () => {
    redis = await startRedis();
    temporal = temporalClient('127.0.0.1:1');
    api = await startTestApi({
      redisUrl: redis.url,
      client: temporal.client,
      policies: await policySet(aPolicyText('web')),
      entriesMax: 10_020,
    });
  });
  after(async () => {
    await api.stop();
    await temporal.stop();
    await redis.stop();
  });

  it('keeps the good entries of a body and names what is wrong with the bad ones', async () => {
    const { labels } = anEntry();
    const big = { ...labels, note: 'x'.repeat(100_000) };
    const body = JSON.stringify(
      aBody([
        anEntry({ fingerprint: 'good1' }),
        anEntry({ labels: undefined }),
        anEntry({ labels: big }),
        anEntry({ startsAt: 'yesterday' }),
        anEntry({ fingerprint: 'good2', labels: { ...labels, PROTO: 'legal' } }),
      ]),
    ).replace('PROTO', '__proto__');

    const before = await scrape(api.url);
    const answer = await postOk(api.url, body);
    const now = await scrape(api.url);

    assert.deepEqual(
      [answer.received, answer.accepted, answer.duplicate, answer.quarantined.length],
      [5, 2, 0, 3],
    );
    const flaws = [
      ['labels', '', 'is missing'],
      [
        'labels.note',
        `"${'x'.repeat(limits.quarantineValueBytes - 2)}…`,
        'has more than 16384 bytes',
      ],
      ['startsAt', '"yesterday"', 'must be an RFC 3339 time between 1970 and 2200'],
    ];
    assert.deepEqual(
      answer.quarantined.map(({ field, value, reason }) => [field, value, reason]),
      flaws,
    );
    assert.deepEqual(
      answer.quarantined.map(({ index }) => index),
      [1, 2, 3],
    );
    assert.equal(now.received - before.received, 5);
    assert.equal(now.backlog - before.backlog, 2);
    const listed = await operate(api.url, '/v1/alerts?quarantined=true');
    const { items } = quarantinedPage.parse(await listed.json());
    assert.deepEqual(
      items.map(({ field, value, reason }) => [field, value, reason]),
      flaws.toReversed(),
    );
  });

  it('answers rubbish by the table: kept aside, and nothing lost beside it', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const rubbish = [
      '',
      'hello',
      '{',
      'null',
      '[]',
      '"4"',
      '{"version":"3","groupKey":"g","alerts":[]}',
      '{"version":"4","groupKey":"g","alerts":{}}',
      '{"version":"4","groupKey":"g","alerts":[null,1,"x",[],{}]}',
      `{"version":"4","groupKey":"g","alerts":[${deep}]}`,
      deep,
    ];

    const before = await scrape(api.url);
    for (const [at, text] of rubbish.entries()) {
      const good = await postOk(api.url, aBody([anEntry({ fingerprint: `beside${at}` })]));
      assert.deepEqual([good.accepted, good.quarantined], [1, []]);
      const answer = await postOk(api.url, text);
      assert.equal(answer.accepted, 0);
      assert.ok(answer.quarantined.length > 0, text.slice(0, 40));
    }
    const now = await scrape(api.url);

    const bad = (now.fates['quarantined'] ?? 0) - (before.fates['quarantined'] ?? 0);
    assert.equal(bad, rubbish.length + 4);
    assert.equal(now.backlog - before.backlog, rubbish.length, 'each good one is kept');
    assert.equal((await postOk(api.url, aBody([]))).received, 0);
  });

  it('refuses a wrong secret before it reads the body, and a body beyond 16 MiB', async () => {
    const wrong = await post(api.url, aBody(), 'not-the-secret-of-tests');
    assert.equal(wrong.status, 401);
    assert.equal(((await wrong.json()) as { code: string }).code, 'unauthenticated');

    const large = await post(api.url, 'x'.repeat(limits.webhookBodyBytes + 1));
    assert.equal(large.status, 413);
    assert.equal(((await large.json()) as { code: string }).code, 'too_large');
  });

  it('takes 10,000 alerts in one body, and beyond the limit changes nothing', async () => {
    const many = aBody(
      Array.from({ length: 10_000 }, (_, at) => anEntry({ fingerprint: `many${at}` })),
    );
    assert.equal((await postOk(api.url, many)).accepted, 10_000);
    const before = await scrape(api.url);
    const further = aBody(
      Array.from({ length: 50 }, (_, at) => anEntry({ fingerprint: `further${at}` })),
    );

    const refused = await post(api.url, further);

    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(((await refused.json()) as { code: string }).code, 'intake_full');
    assert.deepEqual(await scrape(api.url), before);
    assert.equal((await postOk(api.url, many)).duplicate, 10_000);
  });

  it('answers 503 within a second while Redis hangs or is gone, and works when it is back', async () => {
    const { labels } = anEntry();
    const entry = (fingerprint: string) => aBody([anEntry({ fingerprint, labels })]);
    const timed = async (body: unknown) => {
      const start = performance.now();
      const response = await post(api.url, body);
      return {
        status: response.status,
        code: await codeOf(response),
        ms: performance.now() - start,
      };
    };

    redis.pause();
    const hanging = await timed(entry('while-hanging'));
    redis.resume();
    await eventually(() => postOk(api.url, entry('while-hanging')));
    const once = await scrape(api.url);
    await redis.kill();
    const gone = await timed(entry('while-gone'));
    const ready = await fetch(`${api.url}/readyz`);
    await redis.restart();
    await eventually(() => postOk(api.url, entry('while-gone')));

    assert.deepEqual([hanging.status, hanging.code], [503, 'upstream_unavailable']);
    assert.deepEqual([gone.status, gone.code], [503, 'upstream_unavailable']);
    assert.ok(hanging.ms < 1_000 && gone.ms < 1_000, `${hanging.ms} ms, ${gone.ms} ms`);
    assert.equal(ready.status, 503);
    const now = await scrape(api.url);
    assert.equal(now.backlog, once.backlog + 1, 'what was kept before the kill is kept');
  });

  it('keeps no secret of a request anywhere', async () => {
    const files = await readdir(api.stateDir, { recursive: true });
    for (const name of files.filter((found) => found.endsWith('.jsonl'))) {
      const text = await readFile(join(api.stateDir, name), 'utf8');
      assert.ok(!text.includes('webhook-secret-of-tests'));
    }
    const listed = await (await operate(api.url, '/v1/alerts?quarantined=true')).text();
    assert.ok(!listed.includes('webhook-secret-of-tests'));
  });
});

const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { code: string }).code;

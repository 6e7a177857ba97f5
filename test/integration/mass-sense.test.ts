import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '../../contracts/limits.ts';
import { connectRedis } from '../../redis/connect.ts';
import { keys } from '../../redis/keys.ts';
import { type AlertingHost, MassSense } from '../../redis/mass-sense.ts';
import { eventually } from '../support/eventually.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

const windowMs = 60_000;
let sequence = 0;

describe('mass sense in Redis', () => {
  let server: RedisServer;
  let client: ReturnType<typeof connectRedis>;
  let sense: MassSense;
  before(async () => {
    server = await startRedis();
    client = connectRedis({ url: server.url, profile: 'background', onError: () => {} });
    sense = new MassSense({ client, windowMs });
    await eventually(() => client.ping());
  });
  after(async () => {
    client.disconnect();
    await server.stop();
  });

  const aPolicy = () => `policy-${++sequence}`;
  const hosts = (count: number, over: Partial<AlertingHost>): AlertingHost[] =>
    Array.from({ length: count }, (_, at) => ({
      policy: 'web',
      host: `host-${at}`,
      domains: [],
      limit: 20,
      limitText: 'by default',
      atMs: 1_000_000,
      ...over,
    }));

  it('as many hosts as may are no storm; one more is, for all of the same step', async () => {
    const policy = aPolicy();

    const calm = await sense.count(hosts(20, { policy }));
    const storms = await sense.count(hosts(21, { policy }));

    assert.ok(calm.every((storm) => storm === null));
    assert.equal(storms.length, 21);
    const [storm] = storms;
    assert.deepEqual([storm?.hosts, storm?.limit, storm?.domain], [21, 20, null]);
    assert.ok(storms.every((other) => other?.id === storm?.id));
    assert.deepEqual(await sense.stormOf(policy), storm);
  });

  it('the same host again, and the same alert read again, count once', async () => {
    const policy = aPolicy();

    for (let round = 0; round < 5; round += 1) await sense.count(hosts(20, { policy }));
    const [found] = await sense.count(hosts(1, { policy, atMs: 1_010_000 }));

    assert.equal(found, null);
  });

  it('hosts that alerted before the window are not counted, whenever they are read', async () => {
    const policy = aPolicy();

    await sense.count(hosts(15, { policy, atMs: 1_000_000 }));
    const later = hosts(15, { policy, atMs: 1_000_000 + windowMs + 1 }).map((host, at) => ({
      ...host,
      host: `later-${at}`,
    }));
    const inTheNextMinute = await sense.count(later);
    const read = await sense.count(hosts(15, { policy, atMs: 1_000_000 }));

    assert.ok([...inTheNextMinute, ...read].every((storm) => storm === null));
  });

  it('policies are counted apart, and together in a fault domain that they share', async () => {
    const [one, two] = [aPolicy(), aPolicy()];
    const domains = [`zone=${one}`];
    const some = (policy: string, of: readonly string[]) =>
      hosts(15, { policy, domains: of }).map((host) => ({
        ...host,
        host: `${policy}-${host.host}`,
      }));

    const first = await sense.count(some(one, domains));
    const second = await sense.count(some(two, domains));

    assert.ok(first.every((storm) => storm === null));
    assert.deepEqual([second[0]?.hosts, second[0]?.domain], [30, `zone=${one}`]);
    assert.equal(await sense.stormOf(one), null, 'nothing of it came since');
    assert.equal((await sense.count(some(one, domains)))[0]?.domain, `zone=${one}`);
  });

  it('a storm keeps its name while it lasts, shows the most hosts, and is over one window after', async () => {
    const short = new MassSense({ client, windowMs: 300 });
    const policy = aPolicy();

    const [first] = await short.count(hosts(21, { policy }));
    const [second] = await short.count(hosts(40, { policy }));
    const [third] = await short.count(hosts(1, { policy }));

    assert.equal(second?.id, first?.id);
    assert.equal(third?.hosts, 40);
    await eventually(async () => assert.equal(await short.stormOf(policy), null));
    const [after] = await short.count(hosts(1, { policy, atMs: 2_000_000 }));
    assert.equal(after, null);
  });

  it('two counts at once name one storm', async () => {
    const policy = aPolicy();

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => sense.count(hosts(50, { policy }))),
    );

    assert.equal(new Set(answers.flat().map((storm) => storm?.id)).size, 1);
  });

  it('leave to open mailboxes: as many at once as in a second, then at a steady rate', async () => {
    const policy = aPolicy();
    await client.del(keys.intake.starts);

    const leaves = await Promise.all(Array.from({ length: 60 }, () => sense.startLeave(policy)));

    const gone = leaves.filter(({ kind }) => kind === 'go').length;
    const rate = limits.mailboxStartsPerSecond;
    assert.ok(gone >= rate && gone <= rate + 2, `${gone} at once`);
    const waits = leaves.flatMap((leave) => (leave.kind === 'wait' ? [leave.waitMs] : []));
    assert.ok(
      waits.every((waitMs) => waitMs > 0 && waitMs <= 1_000 / rate),
      waits.join(' '),
    );
  });

  it('in a storm of its policy nothing is opened, of others it is', async () => {
    const [stormy, calm] = [aPolicy(), aPolicy()];
    await client.del(keys.intake.starts);
    const [storm] = await sense.count(hosts(21, { policy: stormy }));

    assert.deepEqual(await sense.startLeave(stormy), { kind: 'storm', storm });
    assert.deepEqual(await sense.startLeave(calm), { kind: 'go' });
  });

  it('a Redis that lost everything begins from nothing', async () => {
    const policy = aPolicy();
    await sense.count(hosts(21, { policy }));

    await client.flushall();

    assert.equal(await sense.stormOf(policy), null);
    assert.equal((await sense.count(hosts(20, { policy })))[0], null);
  });
});

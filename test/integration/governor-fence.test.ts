import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Admission, Holds } from '../../domain/blast-radius.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRedis } from '../../redis/connect.ts';
import { Governor, type HeldHost } from '../../redis/governor.ts';
import { eventually } from '../support/eventually.ts';
import {
  type GovernorSite,
  keysFor,
  keysOf,
  rebuildOf,
  startGovernorSite,
} from '../support/governor-site.ts';

const aHeld = (agentId: string, over: Partial<HeldHost> = {}): HeldHost => ({
  agentId,
  domains: ['zone=a'],
  service: 'web',
  wasHealthy: true,
  ...over,
});
const asked = (
  remediationId: string,
  agentId: string,
  of: { readonly cap?: number; readonly floor?: number } = {},
): Admission => ({
  remediationId,
  hosts: [{ agentId, domains: ['zone=a'], service: 'web', isHealthy: true }],
  caps: new Map(of.cap === undefined ? [] : [['zone=a', of.cap]]),
  floors: new Map(of.floor === undefined ? [] : [['web', { floor: of.floor, healthy: 5 }]]),
});
const holdsOf = (remediationId: string, hosts: readonly HeldHost[]): Holds =>
  new Map(hosts.map(({ agentId, ...hold }) => [agentId, { remediationId, ...hold }]));

const fenced = { kind: 'fenced' };
const over = { kind: 'over' };
const granted = { kind: 'judged', verdicts: [{ kind: 'granted' }] };

describe('governor fence', () => {
  let site: GovernorSite;
  before(async () => {
    site = await startGovernorSite();
  });
  beforeEach(() => site.redis.flushall());
  after(() => site.stop());

  /** Asks for everything that changes holds; a fenced governor does none of it. */
  const assertFenced = async () => {
    const { governor, redis } = site;
    const keys = await keysOf(redis);
    assert.equal(await governor.isFenced(), true);
    assert.deepEqual(await governor.admit(asked('new', 'h9')), fenced);
    assert.deepEqual(await governor.release({ remediationId: 'one', agentIds: ['h1'] }), fenced);
    assert.deepEqual(await governor.releaseAll('one'), fenced);
    assert.deepEqual(await keysOf(redis), keys);
  };

  /** The power is cut and Redis comes back with its data, as another run. */
  const restarted = async () => {
    await site.server.kill();
    await site.server.restart();
    await eventually(() => site.redis.ping());
  };

  it('a Redis that nobody has opened gives and frees nothing', async () => {
    await assertFenced();
    assert.equal(await site.redis.dbsize(), 0);
  });

  it('grants again once it is rebuilt, and a rebuild of an open governor is nothing to do', async () => {
    const { governor, redis } = site;
    const token = await rebuildOf(governor);

    assert.equal(await governor.reopen(token), true);

    assert.equal(await governor.isFenced(), false);
    assert.deepEqual(await governor.beginRebuild(), { kind: 'open' });
    assert.deepEqual(await governor.admit(asked('one', 'h1')), granted);
    assert.deepEqual(await governor.beginRebuild(), { kind: 'open' });
    assert.deepEqual(await governor.holdsOf('one'), ['h1']);
    const rebuiltAt = Number(await redis.hget('fx:{gov}:meta', 'rebuiltAt'));
    assert.ok(Math.abs(systemClock.now() - rebuiltAt) < 60_000, `${rebuiltAt}`);
  });

  it('a flush takes all holds away and fences', async () => {
    await site.open();
    await site.governor.admit(asked('one', 'h1'));

    await site.redis.flushall();

    await assertFenced();
  });

  it('a primary that was none in between fences, though it never ended', async () => {
    await site.open();
    const { redis } = site;
    await redis.replicaof('127.0.0.1', 1); // Nobody is there: it keeps its data.
    await redis.replicaof('NO', 'ONE');

    await assertFenced();
  });

  it('a restart with all data fences, because the last holds may not be among it', async () => {
    const { governor, redis } = site;
    await site.open();
    await governor.admit(asked('one', 'h1'));
    await governor.admit(asked('gone', 'h2'));

    await restarted();

    await assertFenced();
    const token = await rebuildOf(governor);
    assert.deepEqual(await keysOf(redis), {}, 'what is not told again is not held');
    const hosts = [aHeld('h1'), aHeld('h3', { domains: ['zone=b', 'rack=1'], wasHealthy: false })];
    assert.deepEqual(await governor.insert({ token, remediationId: 'one', hosts }), {
      ...{ kind: 'inserted', heldByOthers: [] },
    });
    assert.equal(await governor.reopen(token), true);
    assert.deepEqual(await keysOf(redis), keysFor(holdsOf('one', hosts)));
    const refused = { kind: 'refused', reason: 'held', by: 'one' };
    assert.deepEqual(await governor.admit(asked('two', 'h3')), {
      ...{ kind: 'judged', verdicts: [refused] },
    });
  });

  it('gives and frees nothing while it is rebuilt', async () => {
    const { governor } = site;
    const token = await rebuildOf(governor);
    await governor.insert({ token, remediationId: 'one', hosts: [aHeld('h1')] });

    await assertFenced();
  });

  it('holds that were taken in count for caps and floors, though they are above them', async () => {
    const { governor } = site;
    const token = await rebuildOf(governor);
    const hosts = ['h1', 'h2', 'h3'].map((id) => aHeld(id));
    await governor.insert({ token, remediationId: 'one', hosts });
    await governor.reopen(token);

    assert.deepEqual(await governor.admit(asked('two', 'h4', { cap: 2 })), {
      kind: 'judged',
      verdicts: [{ kind: 'refused', reason: 'cap', domain: 'zone=a', limit: 2, used: 3 }],
    });
    assert.deepEqual(await governor.admit(asked('two', 'h4', { floor: 2 })), {
      kind: 'judged',
      verdicts: [{ kind: 'refused', reason: 'floor', service: 'web', floor: 2, available: 2 }],
    });
    assert.deepEqual(await governor.releaseAll('one'), { kind: 'released', hosts: 3 });
    assert.deepEqual(await governor.admit(asked('two', 'h4', { cap: 1, floor: 4 })), granted);
  });

  it('two workers that rebuild at once take in what either knows, and one of them ends it', async () => {
    const { governor, redis } = site;
    const connection = connectRedis({
      ...{ url: site.server.url, profile: 'background', onError: () => {} },
    });
    const other = new Governor({ redis: connection, clock: systemClock });
    try {
      const tokens = await Promise.all([rebuildOf(governor), rebuildOf(other)]);
      assert.equal(tokens[0], tokens[1]);
      const [token] = tokens;
      const hosts = [aHeld('h1'), aHeld('h2')];
      const inserted = await Promise.all([
        governor.insert({ token, remediationId: 'one', hosts }),
        other.insert({ token, remediationId: 'one', hosts: hosts.toReversed() }),
        other.insert({ token, remediationId: 'two', hosts: [aHeld('h3')] }),
      ]);

      const ends = await Promise.all([governor.reopen(token), other.reopen(token)]);

      const untold = { kind: 'inserted', heldByOthers: [] };
      assert.deepEqual(inserted, [untold, untold, untold]);
      assert.deepEqual(ends.toSorted(), [false, true]);
      const held = new Map([...holdsOf('one', hosts), ...holdsOf('two', [aHeld('h3')])]);
      assert.deepEqual(await keysOf(redis), keysFor(held));
    } finally {
      connection.disconnect();
    }
  });

  it('a worker that is late takes in nothing once another one has ended the rebuild', async () => {
    const { governor, redis } = site;
    const token = await rebuildOf(governor);
    assert.equal(await governor.reopen(token), true);

    // Since then the host may have been freed, or given to another.
    const hosts = [aHeld('h1')];
    assert.deepEqual(await governor.insert({ token, remediationId: 'one', hosts }), over);
    assert.equal(await governor.reopen(token), false);
    assert.deepEqual(await keysOf(redis), {});
    assert.equal(await governor.isFenced(), false);
  });

  it('a worker that began before another loss takes in nothing and opens nothing', async () => {
    const { governor } = site;
    const late = await rebuildOf(governor);
    await governor.insert({ token: late, remediationId: 'one', hosts: [aHeld('h1')] });

    // The same run of Redis: only the token tells the two rebuilds apart.
    await site.redis.flushall();
    const hosts = [aHeld('h2')];
    assert.deepEqual(await governor.insert({ token: late, remediationId: 'one', hosts }), over);
    assert.equal(await governor.reopen(late), false);
    await assertFenced();

    const token = await rebuildOf(governor);
    assert.notEqual(token, late);
    assert.deepEqual(await governor.insert({ token: late, remediationId: 'one', hosts }), over);
    assert.equal(await governor.reopen(late), false);
    assert.equal(await governor.reopen(token), true);
    assert.deepEqual(await keysOf(site.redis), {});
  });

  it('a restart in the middle of a rebuild ends it: the next one begins from nothing', async () => {
    const { governor, redis } = site;
    const late = await rebuildOf(governor);
    await governor.insert({ token: late, remediationId: 'one', hosts: [aHeld('h1')] });

    await restarted();

    const hosts = [aHeld('h2')];
    assert.deepEqual(await governor.insert({ token: late, remediationId: 'one', hosts }), over);
    assert.equal(await governor.reopen(late), false);
    const token = await rebuildOf(governor);
    assert.notEqual(token, late);
    assert.deepEqual(await keysOf(redis), {});
    assert.equal(await governor.reopen(late), false);
    await assertFenced();
  });

  it('a rebuild whose worker died is joined, and keeps what that one took in', async () => {
    const { governor, redis } = site;
    const dead = await rebuildOf(governor);
    await governor.insert({ token: dead, remediationId: 'one', hosts: [aHeld('h1')] });

    const token = await rebuildOf(governor);
    await governor.insert({ token, remediationId: 'one', hosts: [aHeld('h1')] });
    await governor.reopen(token);

    assert.deepEqual(await keysOf(redis), keysFor(holdsOf('one', [aHeld('h1')])));
  });

  it('a host that two remediations say they hold stays with the first, and the second is told of it', async () => {
    const { governor } = site;
    const token = await rebuildOf(governor);
    await governor.insert({ token, remediationId: 'one', hosts: [aHeld('h1')] });

    const hosts = [aHeld('h1'), aHeld('h2')];
    const inserted = await governor.insert({ token, remediationId: 'two', hosts });

    assert.deepEqual(inserted, {
      ...{ kind: 'inserted', heldByOthers: [{ agentId: 'h1', by: 'one' }] },
    });
    assert.deepEqual(await governor.holdsOf('two'), ['h2']);
    assert.deepEqual(await governor.holdsOf('one'), ['h1']);
  });

  it('a host that is told of twice is held once, as it was told of first', async () => {
    const { governor, redis } = site;
    const token = await rebuildOf(governor);

    const hosts = [aHeld('h1'), aHeld('h1', { domains: ['zone=b'] })];
    await governor.insert({ token, remediationId: 'one', hosts });
    await governor.insert({ token, remediationId: 'one', hosts: hosts.toReversed() });

    assert.deepEqual(await keysOf(redis), keysFor(holdsOf('one', [aHeld('h1')])));
  });

  it('a run of Redis that comes back before the rebuild after it has ended is fenced too', async () => {
    const { governor, redis } = site;
    await site.open();
    const meta = 'fx:{gov}:meta';
    const runId = (await redis.hget(meta, 'runId')) ?? '';
    // As a replica sees it that was promoted, and takes the data along to the old primary.
    await redis.hset(meta, 'runId', 'f'.repeat(40));
    await rebuildOf(governor);

    await redis.hset(meta, 'rebuildingRun', 'f'.repeat(40));

    assert.match(runId, /^[0-9a-f]{40}\/[0-9a-f]{40}$/);
    assert.equal(await redis.hget(meta, 'runId'), null);
    await assertFenced();
  });

  it('takes in more hosts than one step may, and an empty list', async () => {
    const { governor } = site;
    const token = await rebuildOf(governor);
    const hosts = Array.from({ length: 10_001 }, (_, at) => aHeld(`h${at}`));

    await governor.insert({ token, remediationId: 'one', hosts });
    await governor.insert({ token, remediationId: 'two', hosts: [] });
    await governor.reopen(token);

    assert.equal((await governor.holdsOf('one')).length, 10_001);
    assert.deepEqual(await governor.holders(), ['one']);
    assert.deepEqual([...(await governor.heldByDomain())], [['zone=a', 10_001]]);
  });
});

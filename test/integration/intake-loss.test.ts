import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import type { Alert } from '../../contracts/alert.ts';
import { limits } from '../../contracts/limits.ts';
import { workflowIds } from '../../contracts/temporal.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRedis } from '../../redis/connect.ts';
import { Intake } from '../../redis/intake.ts';
import type { EntryEvidence, StreamEntry } from '../../redis/intake-entries.ts';
import { IntakeEntries } from '../../redis/intake-entries.ts';
import { IntakeLoss } from '../../workers/intake-loss.ts';
import { questionOf } from '../../workers/stream-alert.ts';
import { temporalClient } from '../support/intake-product.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const hour = 3_600_000;
let deliveries = 0;

function aKeptAlert(over: Partial<Alert> = {}): Alert {
  deliveries += 1;
  return {
    source: 'alertmanager',
    fingerprint: 'aaaaaaaaaaaaaaaa',
    status: 'firing',
    startsAt: new Date(Date.now() - hour).toISOString(),
    endsAt: null,
    name: 'ServiceDown',
    severity: 'page',
    labels: [['alertname', 'ServiceDown']],
    annotations: [],
    receivedAt: new Date().toISOString(),
    deliveryId: String(deliveries).padStart(26, 'a'),
    rawDigest: '',
    truncated: false,
    ...over,
  };
}

describe('an intake whose Redis lost everything', () => {
  let server: RedisServer;
  let temporal: TemporalServer;
  let temporalLink: ReturnType<typeof temporalClient>;
  let redis: Redis;
  let intake: Intake;
  let entries: IntakeEntries;
  before(async () => {
    [server, temporal] = await Promise.all([startRedis(), startTemporal()]);
    temporalLink = temporalClient(temporal.address);
    redis = connectRedis({ url: server.url, profile: 'background', onError: () => {} });
    entries = new IntakeEntries({ client: redis, blocking: redis, consumer: 'test' });
  });
  after(async () => {
    redis.disconnect();
    await temporalLink.stop();
    await Promise.all([server.stop(), temporal.stop()]);
  });
  beforeEach(() => {
    intake = new Intake({ client: redis, entriesMax: 1_000, replicas: 0 });
  });
  afterEach(() => redis.flushall());

  const lossAt = (clock: { now: () => number }) =>
    new IntakeLoss({
      client: temporalLink.client,
      clock: { ...systemClock, ...clock },
      seenSince: (instant) => entries.seenSince(instant),
    });

  /** Takes alerts in and reads them, as a dispatcher does. */
  async function taken(alerts: readonly Alert[]): Promise<StreamEntry[]> {
    await intake.append({ source: 'alertmanager', alerts, quarantined: [] });
    return entries.read({ count: 100, blockMs: 1 });
  }
  const judged = async (of: readonly StreamEntry[]): Promise<readonly EntryEvidence[] | null> =>
    entries.evidence(of.map(questionOf));

  it('on a first start no firing is doubtful, however long it has been firing', async () => {
    await lossAt(systemClock).settle();

    const found = await judged(await taken([aKeptAlert()]));

    assert.deepEqual(found, [{ tombstone: null, isDoubtful: false }]);
  });

  it('says that it does not know since when, until that is settled', async () => {
    assert.equal(await judged(await taken([aKeptAlert()])), null);
  });

  it('a firing from before the loss waits for its repeat; a younger one does not', async () => {
    const loss = lossAt(systemClock);
    await loss.settle();
    await redis.flushall();
    await loss.settle();

    const first = await taken([aKeptAlert()]);
    assert.deepEqual(await judged(first), [{ tombstone: null, isDoubtful: true }]);
    // Read again after a crash it is no repeat of itself.
    assert.deepEqual(await judged(first), [{ tombstone: null, isDoubtful: true }]);

    const repeat = await taken([aKeptAlert()]);
    assert.deepEqual(await judged(repeat), [{ tombstone: null, isDoubtful: false }]);

    const startsAt = new Date(Date.now() + 1_000).toISOString();
    const younger = await taken([aKeptAlert({ fingerprint: 'bbbbbbbbbbbbbbbb', startsAt })]);
    assert.deepEqual(await judged(younger), [{ tombstone: null, isDoubtful: false }]);
  });

  it('the loss is noticed before anything that came in since is read, not with the next alert', async () => {
    const loss = lossAt(systemClock);
    await loss.settle();
    entries.beforeGroup(() => loss.settle());
    await redis.flushall();

    const found = await entries.read({ count: 1, blockMs: 1 });
    const startsAt = new Date(Date.now() + 1).toISOString();
    const next = await taken([aKeptAlert({ startsAt })]);

    assert.deepEqual(found, []);
    assert.deepEqual(await judged(next), [{ tombstone: null, isDoubtful: false }]);
    entries.beforeGroup(async () => {});
  });

  it('a dispatcher that starts after the loss knows it by the age of the kill switch', async () => {
    await temporalLink.client.workflow.start('control', {
      workflowId: workflowIds.control,
      taskQueue: 'nobody',
      args: [],
    });

    await lossAt({ now: () => Date.now() + hour }).settle();

    assert.deepEqual(await judged(await taken([aKeptAlert()])), [
      { tombstone: null, isDoubtful: true },
    ]);
  });

  it('refuses what would take more bytes than it may, whole, and takes it once room was made', async () => {
    const small = new Intake({ client: redis, entriesMax: 1_000, bytesMax: 2_000, replicas: 0 });
    const append = (alerts: readonly Alert[]) =>
      small.append({ source: 'alertmanager', alerts, quarantined: [] });
    const large = () => aKeptAlert({ annotations: [['note', 'x'.repeat(1_000)]] });
    assert.equal((await append([large()])).kind, 'kept');
    const waiting = large();

    assert.deepEqual(await append([waiting, aKeptAlert()]), { kind: 'full', backlog: 1 });

    const [entry] = await entries.read({ count: 10, blockMs: 1 });
    assert.ok(entry);
    await entries.end(entry, {
      fates: [{ kind: 'unmatched' }],
      record: null,
      quarantined: null,
      receivedAtMs: Date.now(),
    });
    assert.equal((await append([waiting])).kind, 'kept');
    assert.ok(limits.intakeBytesMax > 100_000_000);
  });
});

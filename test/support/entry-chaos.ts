import assert from 'node:assert/strict';
import type { Client } from '@temporalio/client';
import { Redis } from 'ioredis';
import { systemClock } from '../../platform/clock.ts';
import { IntakeEntries } from '../../redis/intake-entries.ts';
import { post, type Scrape, scrapeAllTheTime, scrapeSettled } from './alertmanager-posts.ts';
import { EntryMill, type MilledBody, milledServices } from './entry-mill.ts';
import { eventually } from './eventually.ts';
import { startTestApi, startTestDispatcher, temporalClient } from './intake-product.ts';
import { mailboxesOf } from './mailbox-history.ts';
import { aPolicyText, policySet } from './policy-set.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { startTemporal, type TemporalServer } from './temporal-server.ts';

const [together, each, shielded] = milledServices;
const from = 'targets: { from: { label: instance, strip: port, by: hostname } }';
const matching = (service: string) =>
  `match: { source: alertmanager, matchers: ['service="${service}"'] }`;
const policies = [
  aPolicyText(
    together,
    matching(together),
    'group: { by: [alertname] }',
    from,
    'guards: { massHosts: off }',
  ),
  aPolicyText(each, matching(each), 'group: { by: [instance] }', from),
  aPolicyText(shielded, matching(shielded), from, `guards: { shield: [['instance=~".+"']] }`),
];
const senders = 4;
const claimMs = 500;

export type ChaosOutcome = {
  /** Entries of bodies that were answered 200, and of tries that were not and may be kept all the same. */
  readonly answered: number;
  readonly doubtful: number;
  readonly scrapes: number;
  readonly withBacklog: number;
  readonly settled: Scrape;
  /** Distinct deliveries that mailboxes have. */
  readonly delivered: number;
};

/** Distinct deliveries that mailboxes have. Throws until there are `handed`: listings lag behind. */
async function deliveredTo(client: Client, handed: number): Promise<number> {
  const mailboxes = await mailboxesOf(client, 'mailbox:');
  const ids = mailboxes.flatMap(({ alerts }) => alerts.map(({ deliveryId }) => deliveryId));
  const delivered = new Set(ids).size;
  assert.ok(delivered >= handed, `${delivered} of ${handed} delivered`);
  return delivered;
}

/**
 * Grinds `entries` entries through two apis and two dispatchers while parts die, and scrapes all the
 * time: a sum that is not equal at any scrape fails. Every fault comes `rounds` times.
 */
export async function entriesThroughChaos(of: {
  readonly entries: number;
  readonly seed: number;
  readonly rounds: number;
}): Promise<ChaosOutcome> {
  const [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
  const { client, stop } = temporalClient(temporal.address);
  const parts = { redisUrl: redis.url, client, policies: await policySet(...policies) };
  const dispatchers = { ...parts, clocks: { intakeClaimMs: claimMs } };
  const apis = await Promise.all([startTestApi(parts), startTestApi(parts)]);
  const steady = await startTestDispatcher(dispatchers);
  const [{ url }] = apis;
  const scraping = scrapeAllTheTime(url);
  try {
    const sending = send({ ...of, urls: apis.map((api) => api.url) });
    const faults = faultsOf({
      redis,
      temporal,
      startDispatcher: () => startTestDispatcher(dispatchers),
    });
    const [sent] = await Promise.all([sending, inTurn(faults, of.rounds, sending)]);
    const settled = await scrapeSettled(url, 300_000);
    const scraped = await scraping.stop();
    const delivered = await eventually(() => deliveredTo(client, settled.fates['handed'] ?? 0), {
      ...{ withinMs: 60_000, everyMs: 1_000 },
    });
    return { ...sent, ...scraped, settled, delivered };
  } finally {
    await scraping.stop().catch(() => {}); // Told above, unless something else failed first.
    await steady.stop();
    await Promise.all(apis.map((api) => api.stop()));
    await stop();
    await redis.stop();
    await temporal.stop();
  }
}

/** Posts until so many entries were answered; a body that is not taken is posted again. */
async function send(of: {
  readonly entries: number;
  readonly seed: number;
  readonly urls: readonly string[];
}): Promise<{ readonly answered: number; readonly doubtful: number }> {
  const mill = new EntryMill(of.seed);
  let [answered, doubtful] = [0, 0];
  const lane = async (url: string) => {
    while (answered < of.entries) {
      const body = mill.body();
      while (!(await isTaken(url, body))) {
        doubtful += body.entries;
        await systemClock.sleep(50);
      }
      answered += body.entries;
    }
  };
  await Promise.all(Array.from({ length: senders }, (_, at) => lane(of.urls[at % 2] ?? '')));
  return { answered, doubtful };
}

async function isTaken(url: string, { text }: MilledBody): Promise<boolean> {
  const response = await post(url, text).catch(() => null); // Its connection broke.
  await response?.arrayBuffer();
  assert.ok(response === null || [200, 503].includes(response.status), `${response?.status}`);
  return response?.status === 200;
}

type Fault = () => Promise<void>;

function faultsOf(of: {
  readonly redis: RedisServer;
  readonly temporal: TemporalServer;
  readonly startDispatcher: () => ReturnType<typeof startTestDispatcher>;
}): readonly Fault[] {
  const { redis, temporal, startDispatcher } = of;
  return [
    // A dispatcher that took its share and died before it handled any of it.
    async () => {
      const raw = new Redis(redis.url);
      raw.on('error', () => {}); // What it read is left all the same.
      const dead = new IntakeEntries({ client: raw, blocking: raw, consumer: 'dead' });
      await dead.read({ count: 200, blockMs: 100 });
      raw.disconnect();
    },
    async () => {
      const dispatcher = await startDispatcher();
      await systemClock.sleep(500);
      await dispatcher.stop();
    },
    async () => {
      redis.pause();
      await systemClock.sleep(1_000);
      redis.resume();
    },
    async () => {
      await redis.kill();
      await redis.restart();
    },
    async () => {
      temporal.pause();
      await systemClock.sleep(1_000);
      temporal.resume();
    },
    async () => {
      await temporal.kill();
      await temporal.restart();
    },
  ];
}

/** One fault after another, with some calm between, until each came so often or nothing is sent any more. */
async function inTurn(
  faults: readonly Fault[],
  rounds: number,
  sending: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  void sending.then(over, over);
  for (let round = 0; round < rounds; round += 1) {
    for (const fault of faults) {
      if (isOver) return;
      await fault();
      await systemClock.sleep(300);
    }
  }
}

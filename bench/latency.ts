import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Redis } from 'ioredis';
import { idempotencyKeyOf, taskIdOf } from '../domain/ids.ts';
import { millisecondsOf } from '../domain/instant.ts';
import type { Clock } from '../platform/clock.ts';
import { sha256 } from '../platform/digest.ts';
import { keys } from '../redis/keys.ts';
import type { BareWorker } from './bare-worker.ts';
import { type BenchAlert, benchAlert } from './bench-alert.ts';
import type { BenchProduct } from './bench-product.ts';
import type { Ended, Endings } from './endings.ts';
import { type JobTimes, journalTimes } from './journal-times.ts';
import { loopPolicy } from './loop-policy.ts';
import { type RepairTimes, repairTimes } from './repair-history.ts';
import type { Passage } from './stages.ts';
import type { WallClock } from './wall-clock.ts';

/** What every measurement works with. */
export type Bench = {
  readonly product: BenchProduct;
  readonly client: Client;
  readonly redis: Redis;
  readonly bare: BareWorker;
  readonly endings: Endings;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly say: (line: string) => void;
};

/** One alert, posted, answered and repaired. */
type Sent = {
  readonly alert: BenchAlert;
  readonly sent: number;
  readonly answered: number;
  readonly refused: number;
  readonly lateMs: number;
  readonly ended: Ended;
};

export type Latency = {
  readonly passages: readonly Passage[];
  /** signalWithStart called → the bare activity starts. */
  readonly floorMs: readonly number[];
  /** How much later than scheduled a post was sent: the generator's own fault. */
  readonly lateMs: readonly number[];
  /** Posts answered 503 and made again, which is in the time to the process. */
  readonly refused: number;
  readonly events: readonly Pick<RepairTimes, 'remediationEvents' | 'mailboxEvents'>[];
};

const endsWithinMs = 60_000;

/**
 * Posts `alerts` alerts, `rate` a second whatever becomes of the others, and between each two
 * starts one bare workflow. Throws when an alert is lost, or a repair not verified or not run once.
 */
export async function measureLatency(
  bench: Bench,
  of: { readonly series: string; readonly alerts: number; readonly rate: number },
): Promise<Latency> {
  const { clock, wallClock } = bench;
  wallClock.adjust();
  const periodMs = 1_000 / of.rate;
  const first = clock.monotonic() + 100;
  const sending = Array.from({ length: of.alerts }, (_, index) =>
    send(bench, { series: of.series, index, dueAt: first + index * periodMs }),
  );
  const floor = Array.from({ length: of.alerts }, async (_, index) => {
    await at(clock, first + (index + 0.5) * periodMs);
    const called = wallClock.now();
    return (await bench.bare.signal(bench.client, `${of.series}-bare-${index}`)) - called;
  });
  const [sent, floorMs] = await Promise.all([Promise.all(sending), Promise.all(floor)]);
  const evidence = await evidenceOf(bench, sent);
  return {
    passages: evidence.map(({ passage }) => passage),
    floorMs,
    lateMs: sent.map(({ lateMs }) => lateMs),
    refused: sent.reduce((sum, { refused }) => sum + refused, 0),
    events: evidence.map(({ times }) => times),
  };
}

async function at(clock: Clock, dueAt: number): Promise<void> {
  await clock.sleep(Math.max(0, dueAt - clock.monotonic()));
}

async function send(
  bench: Bench,
  of: { readonly series: string; readonly index: number; readonly dueAt: number },
): Promise<Sent> {
  const { clock, wallClock, product } = bench;
  await at(clock, of.dueAt);
  const alert = benchAlert({ ...of, agents: bench.product.agents, now: wallClock.now() });
  const lateMs = clock.monotonic() - of.dueAt;
  const sent = wallClock.now();
  const refused = await product.webhook(clock, alert.body);
  const answered = wallClock.now();
  const ended = await repaired(bench, alert);
  if ((of.index + 1) % 10 === 0) bench.say(`${of.index + 1} alerts repaired`);
  return { alert, sent, answered, refused, lateMs, ended };
}

/** Waits for the end of an alert's repair. Throws unless it is verified and ran exactly once. */
export async function repaired(bench: Bench, alert: BenchAlert): Promise<Ended> {
  const ended = await bench.endings.of(alert.fingerprint, endsWithinMs).catch((cause: unknown) => {
    throw new Error(`alert ${alert.name} has not been repaired`, { cause });
  });
  if (ended.state !== 'verified') {
    throw new Error(`${ended.remediationId} ended ${ended.state}: ${ended.reason ?? ''}`);
  }
  const starts = startsOf(bench.product, alert);
  if (starts.length !== 1) throw new Error(`${alert.name} was started ${starts.length} times`);
  return ended;
}

/** The starts of an alert's job by the host's own evidence, Unix milliseconds. */
function startsOf(product: BenchProduct, { name }: BenchAlert): readonly number[] {
  const path = join(product.folders.starts, name);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => Number(BigInt(line) / 1_000n) / 1_000);
}

type Evidence = { readonly passage: Passage; readonly times: RepairTimes };

async function evidenceOf(bench: Bench, all: readonly Sent[]): Promise<readonly Evidence[]> {
  const deliveries = await bench.product.deliveries(1_000);
  const byFingerprint = new Map(deliveries.map((each) => [each.fingerprint, each]));
  const journal = journalTimes(join(bench.product.state, 'agents'));
  const found: Evidence[] = [];
  for (const sent of all) {
    const delivery = byFingerprint.get(sent.alert.fingerprint);
    const mailboxId = delivery?.outcomes[0]?.mailboxId;
    if (delivery === undefined || mailboxId == null) throw new Error(`${sent.alert.name} is lost`);
    const { remediationId } = sent.ended;
    // Its end is recorded a little before its workflow closes.
    await bench.client.workflow.getHandle(remediationId).result();
    const times = await repairTimes(bench.client, { remediationId, mailboxId });
    const received = millisecondsOf(delivery.receivedAt) ?? Number.NaN;
    const passage = await passageOf(bench, { sent, received, times, journal });
    found.push({ passage, times });
  }
  return found;
}

async function passageOf(
  bench: Bench,
  of: {
    readonly sent: Sent;
    readonly received: number;
    readonly times: RepairTimes;
    readonly journal: ReadonlyMap<string, JobTimes>;
  },
): Promise<Passage> {
  const { times } = of;
  const { remediationId } = of.sent.ended;
  const key = idempotencyKeyOf({ remediationId, step: loopPolicy.step, batch: 1, attempt: 1 });
  const taskId = taskIdOf(key, sha256);
  const accepted = await bench.redis.hget(keys.task.task(taskId), 'createdAt');
  const job = of.journal.get(taskId);
  const [running] = startsOf(bench.product, of.sent.alert);
  if (accepted === null || job === undefined || running === undefined) {
    throw new Error(`of task ${taskId} there is no evidence`);
  }
  return {
    sent: of.sent.sent,
    answered: of.sent.answered,
    received: of.received,
    signalled: times.signalled,
    remediation: times.started,
    submitScheduled: times.submit.scheduled,
    submitStarted: times.submit.started,
    accepted: Number(accepted),
    journalled: job.intent,
    spawned: job.started,
    running,
    closed: times.closed,
  };
}

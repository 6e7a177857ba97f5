import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Client, Connection } from '@temporalio/client';
import type { Clock } from '../platform/clock.ts';
import { connectRedis } from '../redis/connect.ts';
import { clone } from '../tools/start/layout.ts';
import { startBareWorker } from './bare-worker.ts';
import { type BenchProduct, startBenchProduct } from './bench-product.ts';
import { CpuMeter } from './cpu-meter.ts';
import { Endings } from './endings.ts';
import { type Bench, measureLatency } from './latency.ts';
import { type LoopOptions, type LoopResult, loopResult } from './loop-result.ts';
import { loopTable } from './loop-table.ts';
import { loadNow, loopVersions, machine } from './machine.ts';
import { bareWorkflowsPerSecond, measuredPids, repairsPerSecond } from './throughput.ts';
import { WallClock } from './wall-clock.ts';

export type LoopDeps = {
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Hears of the product as soon as it runs, so that it can be stopped from outside. */
  readonly onProduct: (product: BenchProduct) => void;
};

const warmUpAlerts = 6;
const settleMs = 3_000;

/**
 * Measures the loop on a product of its own, beside Temporal alone on the same server: prints a
 * table and writes the result to `file`. A bar that is missed is a figure; it throws when an alert
 * is lost or a repair goes wrong.
 */
export async function benchLoop(
  deps: LoopDeps,
  of: { readonly options: LoopOptions; readonly file: string | undefined },
): Promise<void> {
  const date = new Date().toISOString();
  const load = { before: loadNow(), after: loadNow() };
  deps.say(`load average ${load.before.join(' ')}; starting a product`);
  const product = await startBenchProduct(deps.clock, of.options.concurrency);
  deps.onProduct(product);
  const { bench, close } = await openBench(deps, product);
  try {
    const result = await measure(bench, of.options);
    load.after = loadNow();
    deps.say(`\n${loopTable(result)}\n`);
    deps.say(`load average before ${load.before.join(' ')}, after ${load.after.join(' ')}`);
    const record = {
      date,
      machine: machine(),
      versions: await loopVersions(bench),
      load,
      ...result,
    };
    const file = of.file ?? join(clone, 'bench', 'results', `loop-${date.slice(0, 10)}.json`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
    deps.say(`written to ${file}`);
  } finally {
    await close();
  }
}

async function openBench(
  deps: LoopDeps,
  product: BenchProduct,
): Promise<{ readonly bench: Bench; close(): Promise<void> }> {
  const { run, state } = product;
  const wallClock = new WallClock();
  const connection = await Connection.connect({ address: run.temporal.address });
  const redis = connectRedis({
    url: run.redis?.url ?? '',
    profile: 'background',
    onError: ({ message }) => deps.say(`Redis: ${message}`),
  });
  const bare = await startBareWorker({ address: run.temporal.address, wallClock });
  const endings = new Endings({ directory: join(state, 'audit'), clock: deps.clock });
  const client = new Client({ connection });
  return {
    bench: { ...deps, product, client, redis, bare, endings, wallClock },
    async close() {
      endings.stop();
      redis.disconnect();
      await bare.stop();
      await connection.close();
    },
  };
}

async function measure(bench: Bench, options: LoopOptions): Promise<LoopResult> {
  const { say, clock } = bench;
  const { alerts, rate, remediations: count, concurrency: lanes } = options;
  say(`${warmUpAlerts} alerts to warm up`);
  await measureLatency(bench, { series: 'warm', alerts: warmUpAlerts, rate: 2 });
  await bareWorkflowsPerSecond(bench, { series: 'warm-three', count: warmUpAlerts, lanes: 1 });
  await clock.sleep(settleMs);
  say(`${alerts} alerts, ${rate} a second`);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const meter = new CpuMeter({ clock, pids: measuredPids(bench) });
  const latency = await measureLatency(bench, { series: 'loop', alerts, rate });
  const latencyCpu = meter.use();
  delay.disable();
  await clock.sleep(settleMs);
  say(`${count} bare workflows, ${lanes} at once`);
  const before = await bareWorkflowsPerSecond(bench, { series: 'bare-before', count, lanes });
  await clock.sleep(settleMs);
  say(`${count} remediations, ${lanes} at once`);
  const repairs = await repairsPerSecond(bench, { series: 'many', count, lanes });
  await clock.sleep(settleMs);
  say(`${count} bare workflows again`);
  const after = await bareWorkflowsPerSecond(bench, { series: 'bare-after', count, lanes });
  return loopResult({
    options,
    latency,
    repairs,
    bare: [before, after],
    latencyCpu,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
  });
}

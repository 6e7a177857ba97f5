import { benchAlert } from './bench-alert.ts';
import { CpuMeter, type CpuUse } from './cpu-meter.ts';
import { type Bench, repaired } from './latency.ts';

/** A closed loop: `lanes` at once, each beginning the next as soon as its last has ended. */
export type Throughput = {
  readonly perSecond: number;
  /** From beginning to end of each. */
  readonly tookMs: readonly number[];
  readonly count: number;
  readonly cpu: CpuUse;
};

type Series = { readonly series: string; readonly count: number; readonly lanes: number };

/** Whole repairs: post → verified and closed. Throws as `repaired`. */
export function repairsPerSecond(bench: Bench, of: Series): Promise<Throughput> {
  return closedLoop(bench, of, async (index, lane) => {
    // A host has one repair at a time, so each lane has a host of its own.
    const alert = benchAlert({
      ...{ ...of, index, host: lane },
      ...{ agents: bench.product.agents, now: bench.wallClock.now() },
    });
    await bench.product.webhook(bench.clock, alert.body);
    const { remediationId } = await repaired(bench, alert);
    await bench.client.workflow.getHandle(remediationId).result();
  });
}

/** Bare workflows of three activities: the floor beside it. */
export function bareWorkflowsPerSecond(bench: Bench, of: Series): Promise<Throughput> {
  return closedLoop(bench, of, (index) => bench.bare.three(bench.client, `${of.series}-${index}`));
}

async function closedLoop(
  bench: Bench,
  of: Series,
  work: (index: number, lane: number) => Promise<void>,
): Promise<Throughput> {
  const { clock } = bench;
  const tookMs: number[] = [];
  const meter = new CpuMeter({ clock, pids: measuredPids(bench) });
  const begun = clock.monotonic();
  let next = 0;
  const runLane = async (lane: number) => {
    while (next < of.count) {
      const index = next;
      next += 1;
      const from = clock.monotonic();
      await work(index, lane);
      tookMs.push(clock.monotonic() - from);
    }
  };
  await Promise.all(Array.from({ length: of.lanes }, (_, lane) => runLane(lane)));
  const perSecond = (1_000 * of.count) / (clock.monotonic() - begun);
  return { perSecond, tookMs, count: of.count, cpu: meter.use() };
}

/** Every part of the product but its demo, and this process. */
export function measuredPids({ product }: Bench): Readonly<Record<string, number>> {
  const pids = Object.entries({ ...product.run.pids, bench: process.pid });
  const parts = pids.filter(([name]) => name !== 'guard' && !name.startsWith('demo'));
  return Object.fromEntries(parts);
}

import { atMost, type Bar, exactly } from './bars.ts';
import type { BenchGateway } from './bench-gateway.ts';
import { connectedFleet } from './connected-fleet.ts';
import { rounded } from './figures.ts';
import type { Fleet } from './fleet/fleet.ts';
import { type BenchDeps, type FleetRig, startFleetRig } from './fleet-rig.ts';
import { slopePerHour } from './slope.ts';
import { SoakTasks } from './soak-tasks.ts';

export type SoakOptions = {
  readonly agents: number;
  /** Tasks a second, and hosts of each. */
  readonly rate: number;
  readonly hosts: number;
  readonly minutes: number;
};

export type SoakReading = {
  readonly atMs: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly redisBytes: number;
  readonly descriptors: number;
  readonly timers: number;
  readonly resources: number;
  readonly submitted: number;
  readonly answered: number;
};

export type SoakResult = {
  readonly options: SoakOptions;
  readonly readings: readonly SoakReading[];
  /** MB an hour, after a quarter of the time: of the gateway's resident memory and of its heap. */
  readonly residentMbPerHour: number;
  readonly heapMbPerHour: number;
  readonly tasks: ReturnType<SoakTasks['count']>;
  readonly startedTwice: number;
  readonly loopDelayMaxMs: number;
  readonly bars: readonly Bar[];
};

const mb = 1024 * 1024;
const readEveryMs = 5_000;
const drainMs = 60_000;
const behaviour = { seed: 1, durationMs: 200, failureRate: 0.02, exitCode: 1 } as const;

/** Small tasks at a steady rate for a long time: nothing of the gateway may grow with it. */
export async function measureSoak(deps: BenchDeps, options: SoakOptions): Promise<SoakResult> {
  const { clock, say } = deps;
  const rig = await startFleetRig(deps, { agents: options.agents, gateways: 1 });
  const { fleet } = await connectedFleet(deps, rig, { ...options, mode: 'whole', behaviour });
  const [gateway] = rig.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const tasks = new SoakTasks({ rig, gateway, clock, ...options });
  await gateway.ask({ kind: 'reset' });
  const begun = clock.monotonic();
  const endsAt = begun + options.minutes * 60_000;
  const submitting = tasks.submitUntil(endsAt);
  const readings: SoakReading[] = [];
  let nextSay = begun + 60_000;
  while (clock.monotonic() < endsAt) {
    await clock.sleep(readEveryMs);
    const reading = await read({ rig, gateway, tasks, atMs: clock.monotonic() - begun });
    readings.push(reading);
    if (clock.monotonic() < nextSay) continue;
    nextSay += 60_000;
    say(lineOf(reading, await fleet.status()));
  }
  await submitting;
  await tasks.drained(drainMs);
  const { startedTwice } = await fleet.status();
  const { loopDelayMaxMs } = await gateway.ask({ kind: 'figures' });
  const measured = { options, readings, tasks: tasks.count(), startedTwice };
  const settled = readings.slice(Math.floor(readings.length / 4));
  const slope = (of: (reading: SoakReading) => number) =>
    rounded(slopePerHour(settled.map((each) => ({ at: each.atMs, value: of(each) / mb }))));
  const slopes = {
    residentMbPerHour: slope(({ residentBytes }) => residentBytes),
    heapMbPerHour: slope(({ heapBytes }) => heapBytes),
  };
  return {
    ...measured,
    ...slopes,
    loopDelayMaxMs: rounded(loopDelayMaxMs),
    bars: barsOf({ ...measured, ...slopes, settled }),
  };
}

async function read(of: {
  readonly rig: FleetRig;
  readonly gateway: BenchGateway;
  readonly tasks: SoakTasks;
  readonly atMs: number;
}): Promise<SoakReading> {
  const figures = await of.gateway.ask({ kind: 'figures' });
  const memory = /^used_memory:(\d+)/m.exec(await of.rig.redis.client.info('memory'))?.[1];
  const { submitted, answered } = of.tasks.count();
  return {
    ...{ atMs: Math.round(of.atMs), submitted, answered },
    ...{ residentBytes: figures.residentBytes, heapBytes: figures.heapBytes },
    redisBytes: Number(memory),
    descriptors: figures.descriptors,
    timers: figures.resources['Timeout'] ?? 0,
    resources: Object.values(figures.resources).reduce((sum, each) => sum + each, 0),
  };
}

function lineOf(reading: SoakReading, fleet: Awaited<ReturnType<Fleet['status']>>): string {
  return [
    `${Math.round(reading.atMs / 60_000)} min`,
    `${reading.answered} of ${reading.submitted} tasks answered`,
    `gateway ${Math.round(reading.residentBytes / mb)} MB (heap ${Math.round(reading.heapBytes / mb)})`,
    `${reading.descriptors} descriptors, ${reading.timers} timers`,
    `Redis ${Math.round(reading.redisBytes / mb)} MB`,
    `${fleet.connected} agents connected, ${fleet.startedTwice} started twice`,
  ].join(' · ');
}

// Flat, within what garbage collection moves in twenty minutes.
const residentMbPerHourMax = 60;
const driftMax = 32;

function barsOf(of: {
  readonly tasks: SoakResult['tasks'];
  readonly startedTwice: number;
  readonly residentMbPerHour: number;
  readonly settled: readonly SoakReading[];
}): readonly Bar[] {
  const drift = (value: (reading: SoakReading) => number): number => {
    const third = Math.max(1, Math.floor(of.settled.length / 3));
    const mean = (readings: readonly SoakReading[]) =>
      readings.reduce((sum, each) => sum + value(each), 0) / readings.length;
    return rounded(mean(of.settled.slice(-third)) - mean(of.settled.slice(0, third)));
  };
  return [
    exactly('tasks answered', of.tasks.submitted, of.tasks.answered),
    exactly('tasks with a result too few, too many or unheard of', 0, of.tasks.wrong),
    exactly('jobs started twice', 0, of.startedTwice),
    atMost(
      'resident memory of the gateway, MB an hour',
      residentMbPerHourMax,
      of.residentMbPerHour,
    ),
    atMost(
      'descriptors, more in the last third',
      driftMax,
      drift(({ descriptors }) => descriptors),
    ),
    atMost(
      'timers, more in the last third',
      driftMax,
      drift(({ timers }) => timers),
    ),
  ];
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { atMost, type Bar } from './bars.ts';
import { CpuMeter } from './cpu-meter.ts';
import { figuresOf, rounded } from './figures.ts';
import type { BenchDeps, FleetRig } from './fleet-rig.ts';
import { requireSuccess, rigTask } from './fleet-task.ts';
import { startHostAgents } from './host-agents.ts';

export type SpawnOptions = { readonly processes: number; readonly agents: number };

/** Milliseconds. */
export type SpawnResult = {
  readonly options: SpawnOptions;
  /** From the first task handed in until the last was told to have ended. */
  readonly tookMs: number;
  /** `/bin/true` by posix_spawn, one after the other, in one process of python3; median of rounds. */
  readonly floorMs: number;
  readonly floorRoundsMs: readonly number[];
  readonly ratio: number;
  /** CPU milliseconds of one process, by part; of agents with all they started. */
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly bars: readonly Bar[];
};

const run = promisify(execFile);
const floorRounds = 3;
// Jobs of an agent at once stay below what it takes (`agentJobsMax`).
const tasksAtOnce = 24;
const endWithinMs = 120_000;

const floorScript = `
import os, sys, time
count = int(sys.argv[1])
begun = time.monotonic()
for _ in range(count):
    os.waitpid(os.posix_spawn('/bin/true', ['/bin/true'], {}), 0)
print((time.monotonic() - begun) * 1000)
`;

/** Real processes, started by real agents as jobs, beside as many by posix_spawn. */
export async function measureSpawn(deps: BenchDeps, options: SpawnOptions): Promise<SpawnResult> {
  const { clock, say } = deps;
  const { rig, agents } = await startHostAgents(deps, options.agents);
  const floorRoundsMs: number[] = [];
  for (let round = 0; round < floorRounds; round += 1) floorRoundsMs.push(await floor(options));
  const rounds = Math.ceil(options.processes / options.agents);
  await runTasks(rig, { series: 'warm-up', count: 2 });
  say(`${rounds} tasks of ${options.agents} agents, ${tasksAtOnce} at once`);
  const meter = new CpuMeter({
    clock,
    pids: {
      ...{ gateway: rig.gateways[0]?.pid ?? 0, redis: rig.redis.pid, bench: process.pid },
      ...Object.fromEntries(agents.map(({ pid }, index) => [`agent ${index}`, pid])),
    },
  });
  const from = clock.monotonic();
  await runTasks(rig, { series: 'measured', count: rounds });
  const tookMs = clock.monotonic() - from;
  const { parts } = meter.use();
  const ofAgents = Object.entries(parts).filter(([name]) => name.startsWith('agent '));
  const each = (ms: number | undefined) => rounded((ms ?? 0) / (rounds * options.agents));
  const floorMs = figuresOf(floorRoundsMs).p50;
  const ratio = rounded(tookMs / floorMs);
  return {
    ...{ options, tookMs: rounded(tookMs), floorMs, ratio },
    floorRoundsMs: floorRoundsMs.map(rounded),
    cpuMs: {
      agents: each(ofAgents.reduce((sum, [, ms]) => sum + ms, 0)),
      ...{ gateway: each(parts['gateway']), redis: each(parts['redis']) },
      submitter: each(parts['bench']),
    },
    bars: [
      atMost(`${options.processes} processes by ${options.agents} agents, × posix_spawn`, 4, ratio),
    ],
  };
}

/** As many processes as asked for, or throws: without a floor there is no ratio. */
async function floor({ processes }: SpawnOptions): Promise<number> {
  const { stdout } = await run('python3', ['-c', floorScript, String(processes)]);
  return Number(stdout);
}

async function runTasks(
  rig: FleetRig,
  of: { readonly series: string; readonly count: number },
): Promise<void> {
  const indices = Array.from({ length: of.count }, (_, index) => index).values();
  const lane = async () => {
    for (const index of indices) await runOne(rig, `bench/spawn/${of.series}/${index}`);
  };
  await Promise.all(Array.from({ length: tasksAtOnce }, lane));
}

async function runOne(rig: FleetRig, key: string): Promise<void> {
  const [gateway] = rig.gateways;
  const task = rigTask(rig, key, rig.targets);
  const end = rig.callbacks.endOf(task.taskId, endWithinMs);
  end.catch(() => undefined); // Heard below, unless the submit fails first.
  await gateway?.submit(task.key, await task.body());
  const { report } = await end;
  requireSuccess(report, rig.targets.length);
}

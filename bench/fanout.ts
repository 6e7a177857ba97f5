import { atMost, type Bar, exactly } from './bars.ts';
import type { BenchGateway } from './bench-gateway.ts';
import { connectedFleet, instant } from './connected-fleet.ts';
import { CpuMeter } from './cpu-meter.ts';
import { type BareEcho, measureBareEcho } from './echo/bare-echo.ts';
import { type Figures, figuresOf, rounded } from './figures.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { FleetMode } from './fleet/fleet-messages.ts';
import { type BenchDeps, type FleetRig, startFleetRig } from './fleet-rig.ts';
import { benchTask, runTask, type TaskTimes } from './fleet-task.ts';

export type FanoutOptions = {
  readonly agents: readonly number[];
  readonly modes: readonly FleetMode[];
  readonly rounds: number;
  /** Writes a CPU profile of the gateway during the rounds. */
  readonly profile: boolean;
};

/** One fan-out, over all rounds. Milliseconds unless it says otherwise. */
export type Fanout = {
  readonly agents: number;
  readonly mode: FleetMode;
  readonly times: Readonly<Record<keyof TaskTimes, Figures>>;
  /** From the first start until all were connected. */
  readonly connectMs: number;
  /** CPU of one host's command by process, microseconds; the pings of the time are in it. */
  readonly cpuUsPerHost: Readonly<Record<string, number>>;
  /** Resident bytes of the gateway and of the fleet by agent, after traffic. */
  readonly gatewayBytesPerAgent: number;
  readonly fleetBytesPerAgent: number;
  readonly loopDelayMaxMs: number;
  readonly startedTwice: number;
};

export type FanoutResult = {
  readonly echo: readonly BareEcho[];
  readonly fanouts: readonly Fanout[];
  readonly bars: readonly Bar[];
};

/** Measures one command to all agents, and the bare echo beside it. */
export async function measureFanout(
  deps: BenchDeps,
  options: FanoutOptions,
): Promise<FanoutResult> {
  const { say } = deps;
  const echo: BareEcho[] = [];
  const fanouts: Fanout[] = [];
  for (const agents of options.agents) {
    const rig = await startFleetRig(deps, { agents, gateways: 1 });
    say(`bare echo over ${agents} links`);
    echo.push(await measureBareEcho({ files: rig.files, links: agents, rounds: 9 }));
    for (const mode of options.modes) {
      say(`${agents} agents, ${describe(mode)}`);
      fanouts.push(await measureOne(deps, rig, { ...options, agents: agents, mode }));
      await rig.gateways[0]?.end('SIGTERM');
      if (mode !== options.modes.at(-1)) await rig.restart(0);
    }
  }
  return { echo, fanouts, bars: barsOf(echo, fanouts) };
}

const describe = (mode: FleetMode): string =>
  mode === 'link' ? 'wire only: no check, no journal, no fsync' : 'everything on';

async function measureOne(
  deps: BenchDeps,
  rig: FleetRig,
  of: Pick<FanoutOptions, 'rounds' | 'profile'> & { agents: number; mode: FleetMode },
): Promise<Fanout> {
  const [gateway] = rig.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const empty = await gateway.ask({ kind: 'figures' });
  const { fleet, connectMs } = await connectedFleet(deps, rig, { ...of, behaviour: instant });
  const { rounds, cpuMs } = await runRounds(deps, { ...of, rig, fleet, gateway });
  const after = await gateway.ask({ kind: 'figures' });
  const status = await fleet.status();
  await fleet.stop();
  const perHost = (ms: number) => rounded((ms * 1_000) / (of.rounds * of.agents));
  const figures = (what: keyof TaskTimes) => figuresOf(rounds.map((times) => times[what]));
  return {
    ...{ agents: of.agents, mode: of.mode, connectMs: rounded(connectMs) },
    times: {
      ...{ signed: figures('signed'), accepted: figures('accepted') },
      ...{ first: figures('first'), half: figures('half'), most: figures('most') },
      ...{ last: figures('last'), told: figures('told'), known: figures('known') },
    },
    cpuUsPerHost: Object.fromEntries(
      Object.entries(cpuMs).map(([name, ms]) => [name, perHost(ms)]),
    ),
    gatewayBytesPerAgent: Math.round((after.residentBytes - empty.residentBytes) / of.agents),
    fleetBytesPerAgent: Math.round(status.residentBytes / of.agents),
    loopDelayMaxMs: rounded(after.loopDelayMaxMs),
    startedTwice: status.startedTwice,
  };
}

/** One round to warm up, then those that count, with the CPU that each process used until it was told. */
async function runRounds(
  { clock, say }: BenchDeps,
  of: Pick<FanoutOptions, 'rounds' | 'profile'> & {
    readonly agents: number;
    readonly mode: FleetMode;
    readonly rig: FleetRig;
    readonly fleet: Fleet;
    readonly gateway: BenchGateway;
  },
): Promise<{ readonly rounds: readonly TaskTimes[]; readonly cpuMs: Record<string, number> }> {
  const { rig, fleet, gateway, mode, agents } = of;
  const run = (round: number, onTold = () => {}) => {
    const task = taskOf(rig, mode, `bench/${mode}/${agents}/${round}`);
    return runTask({ rig, fleet, clock }, task, { count: agents, onTold });
  };
  await run(0);
  await clock.sleep(1_000);
  await gateway.ask({ kind: 'reset' });
  if (of.profile) await gateway.ask({ kind: 'profile-start' });
  const pids = {
    ...{ gateway: gateway.pid, redis: rig.redis.pid, bench: process.pid },
    ...Object.fromEntries(fleet.pids.map((pid, index) => [`agents ${index + 1}`, pid])),
  };
  const rounds: TaskTimes[] = [];
  const cpuMs: Record<string, number> = {};
  for (let round = 1; round <= of.rounds; round += 1) {
    const meter = new CpuMeter({ clock, pids });
    const count = () => {
      const { parts } = meter.use();
      for (const [name, ms] of Object.entries(parts)) cpuMs[name] = (cpuMs[name] ?? 0) + ms;
    };
    rounds.push(await run(round, count));
    await clock.sleep(500);
  }
  if (of.profile) {
    const file = `fanout-${mode}-${agents}.cpuprofile`;
    await gateway.ask({ kind: 'profile-stop', file });
    say(`profile of the gateway: ${file}`);
  }
  return { rounds, cpuMs };
}

const taskOf = (rig: FleetRig, mode: FleetMode, key: string) =>
  benchTask({
    signer: mode === 'whole' ? rig.signer : undefined,
    ...{ key, targets: rig.targets, callbackUrl: rig.callbacks.url },
    now: rig.wallClock.now(),
  });

// Design 8: seconds with everything on, by agents.
const wholeBarsMs: Readonly<Record<number, number>> = { 1000: 400, 10000: 3_000 };

function barsOf(echo: readonly BareEcho[], fanouts: readonly Fanout[]): readonly Bar[] {
  return fanouts.flatMap((fanout) => {
    const { agents, mode, times } = fanout;
    const bare = echo.find(({ links }) => links === agents);
    const name = `${agents} agents, ${mode === 'link' ? 'wire only' : 'everything on'}`;
    const wholeMs = wholeBarsMs[agents];
    const cpu = fanout.cpuUsPerHost['gateway'] ?? Number.NaN;
    const bars: Bar[] = [exactly(`${name}: started twice`, 0, fanout.startedTwice)];
    if (mode === 'whole') {
      return wholeMs === undefined
        ? bars
        : [atMost(`${name}: last result, ms`, wholeMs, times.last.p50), ...bars];
    }
    const ratio = (mine: number, theirs: number | undefined) =>
      rounded(mine / (theirs ?? Number.NaN));
    return [
      atMost(`${name}: last result, × bare echo`, 2.5, ratio(times.last.p50, bare?.last)),
      atMost(`${name}: gateway CPU per host, µs`, 200, cpu),
      atMost(`${name}: gateway CPU per host, × bare`, 3, ratio(cpu, bare?.cpuUsPerHost)),
      ...(agents >= 10_000
        ? [
            atMost(
              `${name}: KB of the gateway per agent`,
              90,
              rounded(fanout.gatewayBytesPerAgent / 1_024),
            ),
          ]
        : []),
      ...bars,
    ];
  });
}

import { type Command, InvalidArgumentError } from 'commander';
import { type Measured, reportBench } from './bench-report.ts';
import { type FanoutResult, measureFanout } from './fanout.ts';
import { fanoutTable } from './fanout-table.ts';
import { rounded } from './figures.ts';
import type { FleetMode } from './fleet/fleet-messages.ts';
import type { BenchDeps } from './fleet-rig.ts';
import {
  idleAgentTable,
  interferenceTable,
  reconnectTable,
  soakTable,
  spawnTable,
} from './fleet-tables.ts';
import { measureIdleAgent } from './idle-agent.ts';
import { measureInterference } from './interference.ts';
import { measureReconnect } from './reconnect.ts';
import { runFleet } from './running-fleet.ts';
import { measureSoak } from './soak.ts';
import { measureSpawn } from './spawn.ts';

type Commands = {
  readonly deps: BenchDeps;
  /** A bar was missed: the run ends with 1. */
  readonly onMissed: () => void;
};

type Report = (
  name: string,
  file: string | undefined,
  measure: () => Promise<Measured>,
) => Promise<void>;

const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
  };
const between =
  (min: number, max: number) =>
  (text: string): number => {
    const number = Number(text);
    if (text.trim() !== '' && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`must be a number from ${min} to ${max}`);
  };

const agentsMax = 20_000;
const hourMs = 3_600_000;
const counts = (text: string): readonly number[] => text.split(',').map(whole(1, agentsMax));
const resultOption = ['--result <file>', 'where the result goes (bench/results/…)'] as const;

const modesOf: Readonly<Record<string, readonly FleetMode[]>> = {
  link: ['link'],
  whole: ['whole'],
  both: ['link', 'whole'],
};

/** The commands that need simulated agents, real ones, or a gateway alone. */
export function addFleetCommands(program: Command, { deps, onMissed }: Commands): void {
  const report: Report = async (name, file, measure) => {
    if (!(await reportBench({ name, say: deps.say, file }, measure))) onMissed();
  };
  addFanout(program, deps, report);
  addReconnect(program, deps, report);
  addInterference(program, deps, report);
  addHostAgents(program, deps, report);
  addSoak(program, deps, report);
  addFleet(program, deps);
}

function addFanout(program: Command, deps: BenchDeps, report: Report): void {
  type Options = {
    readonly agents: readonly number[];
    readonly mode: string;
    readonly rounds: number;
    readonly profile: boolean;
    readonly result?: string;
  };
  program
    .command('fanout')
    .description('one command to every simulated agent, beside a bare ws echo')
    .option('--agents <n,…>', 'how many, one after the other', counts, [1_000, 10_000])
    .option('--mode <mode>', 'link: wire only; whole: everything on; both', 'both')
    .option('--rounds <n>', 'commands of each', whole(1, 100), 5)
    .option('--profile', 'write CPU profiles of the gateway', false)
    .option(...resultOption)
    .action((options: Options) =>
      report('fanout', options.result, async () => {
        const modes = modesOf[options.mode];
        if (modes === undefined) throw new Error('--mode must be link, whole or both');
        const result = await measureFanout(deps, { ...options, modes });
        return { text: fanoutTable(result), bars: result.bars, ratio: ratioOf(result), result };
      }),
    );
}

/** The last result of the largest fan-out of each kind, by the floor's. */
function ratioOf({ echo, fanouts }: FanoutResult): string {
  const bare = echo.at(-1);
  const ratios = fanouts
    .filter(({ agents }) => agents === bare?.links)
    .map(({ mode, times }) => {
      const name = mode === 'link' ? 'wire only' : 'everything on';
      return `${name} ${rounded(times.last.p50 / (bare?.last ?? Number.NaN))} ×`;
    });
  return `${bare?.links} agents, ${ratios.join(', ')} the bare ws echo`;
}

function addReconnect(program: Command, deps: BenchDeps, report: Report): void {
  type Options = { readonly agents: number; readonly gateways: number; readonly result?: string };
  program
    .command('reconnect')
    .description('a gateway is killed in the middle of a task of all hosts')
    .option('--agents <n>', 'simulated agents', whole(1, agentsMax), 10_000)
    .option('--gateways <n>', 'of which one is killed', whole(1, 4), 2)
    .option(...resultOption)
    .action((options: Options) =>
      report('reconnect', options.result, async () => {
        const result = await measureReconnect(deps, options);
        const ratio = `all ${result.lost} back in ${rounded(result.all / result.bareMs)} × the time of ${result.agents} bare links`;
        return { text: reconnectTable(result), bars: result.bars, ratio, result };
      }),
    );
}

function addInterference(program: Command, deps: BenchDeps, report: Report): void {
  type Options = {
    readonly agents: number;
    readonly tasks: number;
    readonly rate: number;
    readonly result?: string;
  };
  program
    .command('interference')
    .description('one-host commands beside a task of all hosts')
    .option('--agents <n>', 'simulated agents', whole(2, agentsMax), 10_000)
    .option('--tasks <n>', 'tasks of all of them, one after the other', whole(1, 100), 6)
    .option('--rate <n>', 'one-host commands a second', between(0.1, 100), 10)
    .option(...resultOption)
    .action((options: Options) =>
      report('interference', options.result, async () => {
        const result = await measureInterference(deps, options);
        const ratio = `p99 ${rounded(result.beside.p99 / result.alone.p99)} × what it is alone`;
        return { text: interferenceTable(result), bars: result.bars, ratio, result };
      }),
    );
}

function addHostAgents(program: Command, deps: BenchDeps, report: Report): void {
  type Spawn = { readonly processes: number; readonly agents: number; readonly result?: string };
  program
    .command('spawn')
    .description('real processes started by real agents, beside posix_spawn in one process')
    .option('--processes <n>', 'in all', whole(1, 100_000), 1_000)
    .option('--agents <n>', 'real ones, each a process', whole(1, 100), 20)
    .option(...resultOption)
    .action((options: Spawn) =>
      report('spawn', options.result, async () => {
        const result = await measureSpawn(deps, options);
        const ratio = `${result.ratio} × posix_spawn in one process`;
        return { text: spawnTable(result), bars: result.bars, ratio, result };
      }),
    );
  type Idle = { readonly seconds: number; readonly result?: string };
  program
    .command('agent')
    .description('memory and idle CPU of one real agent')
    .option('--seconds <n>', 'how long it is idle', whole(1, 3_600), 20)
    .option(...resultOption)
    .action((options: Idle) =>
      report('agent', options.result, async () => {
        const result = await measureIdleAgent(deps, options);
        const ratio = `${result.ratio} × the memory of a Node that does nothing`;
        return { text: idleAgentTable(result), bars: result.bars, ratio, result };
      }),
    );
}

function addSoak(program: Command, deps: BenchDeps, report: Report): void {
  type Options = {
    readonly agents: number;
    readonly rate: number;
    readonly hosts: number;
    readonly minutes: number;
    readonly result?: string;
  };
  program
    .command('soak')
    .description('small tasks at a steady rate: what of the gateway grows')
    .option('--agents <n>', 'simulated agents', whole(1, agentsMax), 2_000)
    .option('--rate <n>', 'tasks a second', between(0.1, 100), 5)
    .option('--hosts <n>', 'of each task', whole(1, 500), 20)
    .option('--minutes <n>', 'how long', between(0.1, 1_440), 20)
    .option(...resultOption)
    .action((options: Options) =>
      report('soak', options.result, async () => {
        const hosts = Math.min(options.hosts, options.agents);
        const result = await measureSoak(deps, { ...options, hosts });
        const [first] = result.readings;
        const grown = (result.readings.at(-1)?.residentBytes ?? 0) / (first?.residentBytes ?? 1);
        const ratio = `memory at the end ${rounded(grown)} × that of the beginning`;
        return { text: soakTable(result), bars: result.bars, ratio, result };
      }),
    );
}

function addFleet(program: Command, deps: BenchDeps): void {
  type Options = {
    readonly agents: number;
    readonly state: string;
    readonly duration: number;
    readonly failureRate: number;
    readonly exitCode: number;
    readonly seed: number;
    readonly seconds?: number;
  };
  program
    .command('fleet')
    .description('simulated agents on a product that `npm start` runs, until Ctrl-C')
    .option('--agents <n>', 'how many', whole(1, agentsMax), 2_000)
    .option('--state <folder>', 'state folder of the product', '.fixpoint')
    .option('--duration <ms>', 'how long a job runs', whole(0, hourMs), 200)
    .option('--failure-rate <share>', 'of jobs, 0 to 1', between(0, 1), 0)
    .option('--exit-code <n>', 'of those that fail', whole(1, 255), 1)
    .option('--seed <n>', 'the same one fails the same jobs', whole(0, 2 ** 31), 1)
    .option('--seconds <n>', 'ends by itself after so long', whole(1, 86_400))
    .action(({ agents, state, seconds, seed, duration, failureRate, exitCode }: Options) =>
      runFleet(deps, {
        ...{ agents, state, seconds },
        behaviour: { seed, durationMs: duration, failureRate, exitCode },
      }),
    );
}

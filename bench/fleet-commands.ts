import { type Command, InvalidArgumentError } from 'commander';
import { type Measured, reportBench } from './bench-report.ts';
import { measureFanout } from './fanout.ts';
import { fanoutTable } from './fanout-table.ts';
import type { FleetMode } from './fleet/fleet-messages.ts';
import type { BenchDeps } from './fleet-rig.ts';

type Commands = {
  readonly deps: BenchDeps;
  /** A bar was missed: the run ends with 1. */
  readonly onMissed: () => void;
};

const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
  };
const counts = (text: string): readonly number[] => text.split(',').map(whole(1, 20_000));

const modesOf: Readonly<Record<string, readonly FleetMode[]>> = {
  link: ['link'],
  whole: ['whole'],
  both: ['link', 'whole'],
};

/** The commands that need a fleet of simulated agents, or its gateway. */
export function addFleetCommands(program: Command, { deps, onMissed }: Commands): void {
  const report = async (
    name: string,
    file: string | undefined,
    measure: () => Promise<Measured>,
  ): Promise<void> => {
    if (!(await reportBench({ name, say: deps.say, file }, measure))) onMissed();
  };

  program
    .command('fanout')
    .description('one command to every simulated agent, beside a bare ws echo')
    .option('--agents <n,…>', 'how many, one after the other', counts, [1_000, 10_000])
    .option('--mode <mode>', 'link: wire only; whole: everything on; both', 'both')
    .option('--rounds <n>', 'commands of each', whole(1, 100), 5)
    .option('--profile', 'write CPU profiles of the gateway', false)
    .option('--result <file>', 'where the result goes (bench/results/fanout-<date>.json)')
    .action(
      (options: {
        agents: readonly number[];
        mode: string;
        rounds: number;
        profile: boolean;
        result?: string;
      }) =>
        report('fanout', options.result, async () => {
          const modes = modesOf[options.mode];
          if (modes === undefined) throw new Error('--mode must be link, whole or both');
          const result = await measureFanout(deps, { ...options, modes });
          const [ratio] = result.bars.filter(({ what }) => what.includes('× bare echo')).slice(-1);
          return {
            text: fanoutTable(result),
            bars: result.bars,
            ratio:
              ratio === undefined
                ? 'no floor'
                : `${ratio.what.replace(', × bare echo', '')} ${ratio.measured} × the bare echo`,
            result,
          };
        }),
    );
}

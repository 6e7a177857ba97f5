// `npm run bench -- <what>`: measures, beside a floor that is measured in the same run. Benches of
// the fleet end with 1 when a bar is missed; `loop` only when something broke.

import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../platform/clock.ts';
import type { BenchProduct } from './bench-product.ts';
import { addFleetCommands } from './fleet-commands.ts';
import type { BenchDeps } from './fleet-rig.ts';
import { benchLoop } from './loop.ts';
import type { LoopOptions } from './loop-result.ts';

const say = (line: string): void => console.log(line);

let product: BenchProduct | undefined;
const stops: (() => Promise<void>)[] = [];
let isEnding = false;
const failed = 1;

const deps: BenchDeps = {
  clock: systemClock,
  say,
  onPart: (stop) => {
    stops.push(stop);
  },
};

/** Stops what runs and exits; after a failure a product's folder stays. Asked again it changes nothing. */
async function end(status: number): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  for (const stop of stops.reverse()) {
    await stop().catch((error: unknown) => console.error(error));
  }
  const keep = status === failed;
  await product?.stop({ keep });
  if (keep && product !== undefined) say(`its logs and databases are in ${product.folder}`);
  process.exit(status);
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 500) return number;
  throw new InvalidArgumentError('must be a whole number from 1 to 500');
}

function rate(text: string): number {
  const number = Number(text);
  if (number > 0 && number <= 20) return number;
  throw new InvalidArgumentError('must be above 0, and at most 20');
}

/** Everything in it waits with a deadline; this one is for what nobody thought of. */
function endAfter(options: LoopOptions): void {
  const limitMs = (options.alerts / options.rate) * 1_000 + options.remediations * 1_000 + 300_000;
  systemClock.after(limitMs, () => {
    say(`it has not ended after ${Math.round(limitMs / 1_000)} s`);
    void end(failed);
  });
}

async function loop(options: LoopOptions & { readonly result?: string }): Promise<void> {
  const { result, ...asked } = options;
  endAfter(asked);
  const onProduct = (started: BenchProduct) => {
    product = started;
  };
  await benchLoop({ clock: systemClock, say, onProduct }, { options: asked, file: result });
}

process.on('SIGINT', () => void end(130));
process.on('SIGTERM', () => void end(143));

const program = new Command('bench').description('measures Fixpoint on this machine');
program
  .command('loop')
  .description('webhook to first process, and remediations a second')
  .option('--alerts <n>', 'alerts to post one by one', count, 50)
  .option('--rate <n>', 'alerts a second', rate, 1)
  .option('--remediations <n>', 'remediations, and bare workflows, of the second part', count, 60)
  .option('--concurrency <n>', 'of them at once, each on a local agent of its own', count, 20)
  .option('--result <file>', 'where the result goes (bench/results/loop-<date>.json)')
  .action(loop);

addFleetCommands(program, { deps, onMissed: () => void end(failed) });

try {
  await program.parseAsync();
  await end(0);
} catch (error) {
  // The run was ended from outside: the failures that follow are no news.
  if (!isEnding) console.error(error);
  await end(failed);
}

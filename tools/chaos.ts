// `npm run chaos -- --seed N --minutes M`: hurts a whole product of its own again and again, in an
// order that the seed decides, and has every round judged by the independent checker. The last
// line is `N passed, N failed`. See docs/chaos.md.

import { parseArgs } from 'node:util';
import { systemClock } from '../platform/clock.ts';
import { ChaosRig } from '../test/support/chaos/chaos-rig.ts';
import { pairPlan, stormPlan } from '../test/support/chaos/faults.ts';
import { SeededRandom } from '../test/support/chaos/random.ts';
import { roundInWords, runRound } from '../test/support/chaos/rounds.ts';

const usage =
  'usage: npm run chaos -- [--seed N] [--minutes M] [--from ROUND] [--rounds N] [--pairs]';

type Options = {
  readonly seed: number;
  readonly minutes: number;
  /** Number of the first round; each is made from the seed and its number alone. */
  readonly from: number;
  readonly rounds: number;
  /** Two deaths a round, and nothing else. */
  readonly pairs: boolean;
};

function optionsOf(argv: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { seed: text, minutes: text, from: text, rounds: text, pairs: { type: 'boolean' } },
  });
  const number = (name: 'seed' | 'minutes' | 'from' | 'rounds', otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isFinite(value) && value >= 0) return value;
    throw new Error(`--${name} must be a number`);
  };
  return {
    seed: number('seed', Math.floor(systemClock.random() * 1_000_000)),
    minutes: number('minutes', values.rounds === undefined ? 5 : 24 * 60),
    from: number('from', 1),
    rounds: number('rounds', Number.MAX_SAFE_INTEGER),
    pairs: values.pairs ?? false,
  };
}

const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(options: Options): Promise<number> {
  say(`seed ${options.seed}`);
  const rig = await ChaosRig.start();
  let isStopped = false;
  process.once('SIGINT', () => {
    isStopped = true;
    say('stopping after this round');
  });
  const until = systemClock.monotonic() + options.minutes * 60_000;
  const count = { passed: 0, failed: 0 };
  try {
    for (let at = options.from; at < options.from + options.rounds && !isStopped; at += 1) {
      if (systemClock.monotonic() >= until) break;
      const random = new SeededRandom(options.seed * 1_000_003 + at);
      const plan = (options.pairs ? pairPlan : stormPlan)(random, `round-${at}`);
      const round = await runRound(rig, plan);
      say(roundInWords(round));
      if (round.violations.length === 0) count.passed += 1;
      else count.failed += 1;
    }
  } finally {
    if (count.failed > 0) say(`logs and evidence are kept in ${rig.product.folder}`);
    await rig.stop({ keep: count.failed > 0 });
  }
  say(`${count.passed} passed, ${count.failed} failed`);
  return count.failed === 0 && count.passed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main(optionsOf(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(
    `error: ${error instanceof Error ? error.message : String(error)}\n${usage}\n`,
  );
  process.exitCode = 2;
}

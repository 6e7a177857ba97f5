import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { clone } from '../tools/start/layout.ts';
import type { Bar } from './bars.ts';
import { loadNow, machine, versions } from './machine.ts';
import { barTable } from './text-table.ts';

/** What a bench came to. */
export type Measured = {
  /** Figures for people, beside the bars. */
  readonly text: string;
  readonly bars: readonly Bar[];
  /** The ratio to the floor of the same run, in a few words: the last line. */
  readonly ratio: string;
  /** Everything, for the result file. */
  readonly result: object;
};

/**
 * Runs a bench, prints what came of it and writes it down with the machine it ran on. The last line
 * is the ratio and how many bars hold. Resolves to whether all of them do.
 */
export async function reportBench(
  of: {
    readonly name: string;
    readonly say: (line: string) => void;
    readonly file: string | undefined;
  },
  measure: () => Promise<Measured>,
): Promise<boolean> {
  const { name, say } = of;
  const date = new Date().toISOString();
  const before = loadNow();
  say(`load average ${before.join(' ')}`);
  const { text, bars, ratio, result } = await measure();
  const load = { before, after: loadNow() };
  say(`\n${text}\n\nbars\n\n${barTable(bars)}\n`);
  say(`load average before ${before.join(' ')}, after ${load.after.join(' ')}`);
  const record = { date, machine: machine(), versions: await versions(), load, bars, ...result };
  const file = of.file ?? join(clone, 'bench', 'results', `${name}-${date.slice(0, 10)}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  say(`written to ${file}`);
  const missed = bars.filter(({ holds }) => !holds).length;
  say(`${name}: ${ratio}; ${bars.length - missed} bars hold, ${missed} missed`);
  return missed === 0;
}

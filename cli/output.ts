import { errorPolicies, FixpointError } from '../domain/errors.ts';
import { plainJson, plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

export type OutputFormat = 'table' | 'json';

const gap = '  ';
const widthOf = (text: string): number => [...text].length;

/** Columns aligned to their widest cell, the last one as long as it is. Cells lose control characters. */
export function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) => row.map(plainLine));
  const widths = header.map((_, at) => Math.max(...lines.map((row) => widthOf(row[at] ?? ''))));
  return lines
    .map((row) =>
      row
        .map((cell, at) => cell + ' '.repeat(Math.max(0, (widths[at] ?? 0) - widthOf(cell))))
        .join(gap)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Names on the left, values on the right; pairs without a value are left out. */
export function fieldsOf(pairs: readonly (readonly [string, string | null | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  return shown
    .map(([name, value]) => `${name.padEnd(width)}${gap}${plainLine(value ?? '')}\n`)
    .join('');
}

/**
 * One listing: for machines a JSON array whose entries all have `id` and `state`, newest first; for
 * people a table, or one sentence when there is nothing.
 */
export function printListing<Row extends { readonly id: string; readonly state: string }>(
  terminal: Terminal,
  listing: {
    readonly format: OutputFormat;
    readonly rows: readonly Row[];
    readonly header: readonly string[];
    readonly cells: (row: Row) => readonly string[];
    readonly empty: string;
  },
): void {
  if (listing.format === 'json') terminal.out(`${plainJson(listing.rows)}\n`);
  else if (listing.rows.length === 0) terminal.err(`${listing.empty}\n`);
  else terminal.out(tableOf(listing.header, listing.rows.map(listing.cells)));
}

/** How long ago, in the largest whole unit. `at` and `now` are Unix milliseconds. */
export function ageOf(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

const codes = {
  green: '32',
  red: '31',
  yellow: '33',
  dim: '2',
  bold: '1',
} as const;

/** Text in a colour where the terminal has colours. */
export const coloured = (terminal: Terminal, colour: keyof typeof codes, text: string): string =>
  terminal.hasColour ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;

/**
 * Prints `error: …` and what to do about it, and answers the exit status of the error's code. Errors
 * without a code are ours: 1, and the text is shown because the person who sees it runs the program.
 */
export function printError(terminal: Terminal, error: unknown): number {
  if (!(error instanceof FixpointError)) {
    terminal.err(`error: ${plainLine(error instanceof Error ? error.message : String(error))}\n`);
    terminal.err('hint: this is a bug in Fixpoint; please report the command and this text\n');
    return errorPolicies.internal.exit;
  }
  terminal.err(`error: ${plainLine(error.message)}\n`);
  for (const flaw of error.flaws) {
    const value = flaw.value === undefined ? '' : ` = ${flaw.value}`;
    terminal.err(`  ${plainLine(`${flaw.field}${value}: ${flaw.fix}`)}\n`);
  }
  if (error.hint !== undefined) terminal.err(`hint: ${plainLine(error.hint)}\n`);
  return errorPolicies[error.code].exit;
}

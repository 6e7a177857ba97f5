import type { Bar } from './bars.ts';

export type Row = readonly (string | number)[];

/** Columns as wide as they must be: the first to the left, numbers to the right. */
export function textTable(header: readonly string[], rows: readonly Row[]): string {
  const texts = rows.map((row) => row.map(String));
  const cells = header.some((name) => name !== '') ? [header, ...texts] : texts;
  const widths = header.map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return cells.map((row) => `  ${line(row)}`).join('\n');
}

export const barTable = (bars: readonly Bar[]): string =>
  textTable(
    ['', 'bar', 'measured', ''],
    bars.map(({ what, bar, measured, holds }) => [what, bar, measured, holds ? 'holds' : 'MISSED']),
  );

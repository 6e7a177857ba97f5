import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { atMost, exactly } from '../../../bench/bars.ts';
import { reportBench } from '../../../bench/bench-report.ts';

describe('the report of a bench', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fixpoint-report-'));
  const file = join(directory, 'result.json');
  after(() => rmSync(directory, { recursive: true, force: true }));

  const report = async (measured: number) => {
    const lines: string[] = [];
    const bars = [atMost('a bar', 4, measured), exactly('another', 0, 0)];
    const say = (line: string) => lines.push(line);
    const holds = await reportBench({ name: 'sample', say, file }, async () => ({
      ...{ text: 'figures', bars, ratio: `${measured} × the floor`, result: { measured } },
    }));
    return { holds, last: lines.at(-1), text: lines.join('\n') };
  };

  it('ends with the ratio, and holds while every bar does', async () => {
    const { holds, last } = await report(4);

    assert.equal(holds, true);
    assert.equal(last, 'sample: 4 × the floor; 2 bars hold, 0 missed');
  });

  it('does not hold when one bar is missed, says which, and writes the figures all the same', async () => {
    const { holds, last, text } = await report(5);

    assert.equal(holds, false);
    assert.equal(last, 'sample: 5 × the floor; 1 bars hold, 1 missed');
    assert.match(text, /a bar +≤ 4 +5 +MISSED/);
    const written = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    assert.equal(written['measured'], 5);
    assert.ok('machine' in written && 'versions' in written && 'load' in written);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type BatchPart,
  batchSizes,
  parseBatchExpression,
} from '../../../domain/batch-expression.ts';
import { aBatchExpression, partsOf } from '../../support/batch-expressions.ts';

const sizes = (expression: string | number, total: number): readonly number[] => {
  const found = batchSizes(partsOf(expression), total);
  assert.equal(found.kind, 'sizes');
  return found.kind === 'sizes' ? found.sizes : [];
};

describe('batch expression', () => {
  it('gives the sizes of the worked tables', () => {
    assert.deepEqual(sizes('1 10% 50%', 100), [1, 10, 50, 39]);
    assert.deepEqual(sizes('5 +5', 100), [5, 10, 15, 20, 25, 25]);
    assert.deepEqual(sizes('2 *3', 100), [2, 6, 18, 54, 20]);
  });

  it('gives `1 10% +5 *2` on every size as worked out by hand', () => {
    const expression = '1 10% +5 *2';

    assert.deepEqual(sizes(expression, 40), [1, 4, 9, 18, 8]);
    assert.deepEqual(sizes(expression, 41), [1, 5, 10, 20, 5]);
    assert.deepEqual(sizes(expression, 7), [1, 1, 5]);
    assert.deepEqual(sizes(expression, 1), [1]);
    assert.deepEqual(sizes(expression, 10_000), [1, 1_000, 1_005, 2_010, 4_020, 1_964]);
  });

  it('repeats a plain number, written as one or as text, until the hosts run out', () => {
    assert.deepEqual(sizes(20, 50), [20, 20, 10]);
    assert.deepEqual(sizes('20', 50), [20, 20, 10]);
    assert.deepEqual(sizes('20', 0), []);
  });

  it('starts from N where a growing part comes first, and counts per cent of the total', () => {
    assert.deepEqual(sizes('+3', 20), [3, 6, 9, 2]);
    assert.deepEqual(sizes('*3', 20), [3, 9, 8]);
    assert.deepEqual(sizes('*1', 3), [1, 1, 1]);
    assert.deepEqual(sizes('33%', 10), [4, 4, 2]);
    assert.deepEqual(sizes('100%', 7), [7]);
    assert.deepEqual(sizes('50% 1', 4), [2, 1, 1]);
  });

  it('refuses what needs more than 500 batches, and says how many hosts are left over', () => {
    assert.equal(sizes(1, 500).length, 500);
    assert.deepEqual(batchSizes(partsOf(1), 501), { kind: 'too_many_batches', hostsLeft: 1 });
    assert.deepEqual(batchSizes(partsOf('10 *1'), 20_000), {
      ...{ kind: 'too_many_batches', hostsLeft: 15_000 },
    });
  });

  it('growth without end stays finite', () => {
    assert.deepEqual(sizes('1 *20000', 20_000), [1, 19_999]);
    assert.deepEqual(sizes(Array(400).fill('*9').join(' '), 20), [9, 11]);
  });

  it('names the first wrong part, its value and the fix', () => {
    const wrong = (expression: string | number) => {
      const parsed = parseBatchExpression(expression);
      assert.equal(parsed.kind, 'wrong', `${expression} was taken`);
      return parsed.kind === 'wrong' ? [parsed.part, parsed.value, parsed.fix] : [];
    };
    const form = 'must be N, N%, +N or *N with a whole number, as in "1 10% +5 *2"';
    const space = 'write at least one part, and exactly one space between two parts';
    const zero = 'must be at least 1: a batch without hosts never ends';
    const percent = 'must be 1% to 100%, of all hosts of the step';
    const large = 'must be at most 20000, the most hosts that a repair may have';

    assert.deepEqual(wrong('1  10%'), [2, '', space]);
    assert.deepEqual(wrong(' 1'), [1, '', space]);
    assert.deepEqual(wrong('1 '), [2, '', space]);
    assert.deepEqual(wrong(''), [1, '', space]);
    assert.deepEqual(wrong('1 0'), [2, '0', zero]);
    assert.deepEqual(wrong('1 +0'), [2, '+0', zero]);
    assert.deepEqual(wrong('1 2 *00'), [3, '*00', zero]);
    assert.deepEqual(wrong(0), [1, '0', zero]);
    assert.deepEqual(wrong('0%'), [1, '0%', percent]);
    assert.deepEqual(wrong('1 101%'), [2, '101%', percent]);
    assert.deepEqual(wrong('20001'), [1, '20001', large]);
    assert.deepEqual(wrong(`1 +${'9'.repeat(400)}`), [2, `+${'9'.repeat(400)}`, large]);
    for (const text of ['ten', '-1', '1.5', '+5%', '*2%', '1,5', '1\t', '++1', '%', '٣', '1e3']) {
      assert.deepEqual(wrong(text), [1, text, form]);
    }
    assert.deepEqual(wrong(1.5), [1, '1.5', form]);
    assert.deepEqual(wrong(Number.NaN), [1, 'NaN', form]);
    assert.deepEqual(wrong(`${'1 '.repeat(500)}7`), [
      ...[501, '7'],
      'take this part and those after it out: 500 parts may be, one for each batch',
    ]);
  });

  it('reads every expression that can be written back to what was written', () => {
    fc.assert(
      fc.property(aBatchExpression(), (expression) => {
        assert.equal(partsOf(expression).map(textOf).join(' '), expression);
      }),
    );
  });

  it('covers all hosts, no batch empty, part k for batch k and the last for the rest', () => {
    fc.assert(
      fc.property(aBatchExpression(), fc.nat(20_000), (expression, total) => {
        const parts = partsOf(expression);
        const found = batchSizes(parts, total);
        if (found.kind === 'too_many_batches') {
          assert.ok(found.hostsLeft > 0 && found.hostsLeft <= total - 500);
          return;
        }
        assert.equal(
          found.sizes.reduce((sum, size) => sum + size, 0),
          total,
        );
        assert.ok(found.sizes.length <= 500);
        for (const [batch, size] of found.sizes.entries()) {
          assert.ok(size >= 1);
          const part = parts[Math.min(batch, parts.length - 1)];
          const isLast = batch === found.sizes.length - 1;
          const before = found.sizes[batch - 1] ?? 0;
          const said = part === undefined ? 0 : saidBy(part, before, total);
          assert.ok(isLast ? size <= said : size === said, `batch ${batch + 1}: ${size}, ${said}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function textOf(part: BatchPart): string {
  if (part.kind === 'percent') return `${part.percent}%`;
  if (part.kind === 'times') return `*${part.factor}`;
  return part.kind === 'plus' ? `+${part.hosts}` : `${part.hosts}`;
}

/** The rule once more, in other words. */
function saidBy(part: BatchPart, before: number, total: number): number {
  if (part.kind === 'percent') {
    const hundredths = total * part.percent;
    return (hundredths - (hundredths % 100)) / 100 + (hundredths % 100 === 0 ? 0 : 1);
  }
  if (part.kind === 'times') return before === 0 ? part.factor : before * part.factor;
  return part.kind === 'plus' ? before + part.hosts : part.hosts;
}

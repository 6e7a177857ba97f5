import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { figuresOf } from '../../../bench/figures.ts';

describe('figures of a series', () => {
  it('takes quantiles by nearest rank, whatever the order', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);

    const figures = figuresOf(values);

    assert.deepEqual(figures, { n: 100, p50: 50, p90: 90, p99: 99, min: 1, max: 100, mean: 50.5 });
  });

  it('of fewer than 100 the largest is the 99th percentile: nothing bad is hidden', () => {
    const { p50, p99, max } = figuresOf([...Array.from({ length: 49 }, () => 10), 500]);

    assert.deepEqual({ p50, p99, max }, { p50: 10, p99: 500, max: 500 });
  });

  it('one value is all of them', () => {
    const { n, p50, min, max } = figuresOf([7]);

    assert.deepEqual({ n, p50, min, max }, { n: 1, p50: 7, min: 7, max: 7 });
  });

  it('nothing measured is no figure', () => {
    assert.throws(() => figuresOf([]), /nothing was measured/);
  });
});

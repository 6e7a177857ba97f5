import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { slopePerHour } from '../../../bench/slope.ts';

const minute = 60_000;

describe('slope', () => {
  it('finds a steady growth by the hour', () => {
    const readings = [0, 1, 2, 3].map((at) => ({ at: at * minute, value: 100 + at }));

    assert.equal(Math.round(slopePerHour(readings)), 60);
  });

  it('sees none in what only goes up and down', () => {
    const readings = [3, 1, 1, 3].map((value, at) => ({ at: at * minute, value }));

    assert.equal(slopePerHour(readings), 0);
  });

  it('says nothing of one reading', () => {
    assert.equal(slopePerHour([{ at: 0, value: 7 }]), 0);
  });
});

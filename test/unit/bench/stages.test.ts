import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Passage, stagesOf } from '../../../bench/stages.ts';

const aPassage = (stepMs: number): Passage => ({
  sent: 0,
  answered: 5,
  received: stepMs,
  signalled: 2 * stepMs,
  remediation: 3 * stepMs,
  submitScheduled: 7 * stepMs,
  submitStarted: 8 * stepMs,
  accepted: 9 * stepMs,
  journalled: 10 * stepMs,
  spawned: 11 * stepMs,
  running: 12 * stepMs,
  closed: 20 * stepMs,
});

describe('stages of the way to a process', () => {
  it('follow each other without a gap: their means add up to the whole way', () => {
    const passages = [aPassage(10), aPassage(20)];

    const stages = stagesOf(passages);

    const sum = stages.reduce((total, { mean }) => total + mean, 0);
    assert.equal(sum, (12 * 10 + 12 * 20) / 2);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchesInWords, outlookInWords } from '../../../domain/plan-outlook.ts';

describe('what a repair would do, in words', () => {
  it('equal neighbours are told once, and a long list is cut', () => {
    assert.equal(batchesInWords([1]), '1 batch of 1 host');
    assert.equal(batchesInWords([1, 4, 4, 4, 2]), '5 batches of 1, 4 ×3, 2 hosts');
    assert.equal(
      batchesInWords([1, 2, 3, 4, 5, 6, 7, 8, 9]),
      '9 batches of 1, 2, 3, 4, 5, 6, 7, 8, … hosts',
    );
  });

  it('a domain is told with its agents and how many of them may be held', () => {
    const domain = { name: 'zone=a', hosts: 2, agents: 8, cap: 1 };

    const words = outlookInWords({
      steps: [{ name: 'restart', batches: [1, 1] }],
      domains: [domain, { ...domain, name: 'zone=b', cap: null }],
    });

    assert.equal(
      words,
      'step restart: 2 batches of 1 ×2 hosts; zone=a: 2 of 8 agents, 1 may be held at once; zone=b: 2 of 8 agents, all may be held at once',
    );
  });

  it('of many fault domains the first are told, and how many more there are', () => {
    const domains = Array.from({ length: 11 }, (_, at) => {
      return { name: `rack=${at}`, hosts: 1, agents: 4, cap: 1 };
    });

    assert.match(outlookInWords({ steps: [], domains }), /^rack=0: .*rack=7: .*; and 3 more/);
  });
});

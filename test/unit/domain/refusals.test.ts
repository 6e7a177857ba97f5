import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../../domain/blast-radius.ts';
import { figuresOf } from '../../../domain/refusal-figures.ts';
import { mainReason, refusalsInWords, remedyFor } from '../../../domain/refusal-words.ts';

const granted: Verdict = { kind: 'granted' };
const busy = (by: string): Verdict => ({ kind: 'refused', reason: 'held', by });
const cap: Verdict = { kind: 'refused', reason: 'cap', domain: 'zone=a', limit: 2, used: 2 };
const floor: Verdict = {
  kind: 'refused',
  reason: 'floor',
  service: 'web',
  floor: 5,
  available: 5,
};

describe('refusals', () => {
  it('are a letter for each host, and the figures of each reason once, the most frequent first', () => {
    const { letters, refusals } = figuresOf([
      busy('r1'),
      granted,
      cap,
      cap,
      busy('r2'),
      floor,
      cap,
    ]);

    assert.equal(letters, 'bgccbfc');
    assert.deepEqual(refusals, [
      { reason: 'cap_reached', domain: 'zone=a', limit: 2, used: 2, hosts: 3 },
      { reason: 'busy', by: 'r1', hosts: 1 },
      { reason: 'busy', by: 'r2', hosts: 1 },
      { reason: 'floor', service: 'web', floor: 5, available: 5, hosts: 1 },
    ]);
    assert.equal(mainReason(refusals), 'cap_reached');
  });

  it('of a thousand holders ten travel', () => {
    const verdicts = Array.from({ length: 1_000 }, (_, at) => busy(`r${at}`));

    assert.equal(figuresOf(verdicts).refusals.length, 10);
  });

  it('are told with limit and use, and each has a remedy', () => {
    const { refusals } = figuresOf([cap, cap, busy('remediation:a'), floor, busy('r2')]);

    assert.equal(
      refusalsInWords(refusals),
      '2 hosts: zone=a may have 2 held at once, has 2 · 1 host busy: held by remediation:a · 1 host: service web must keep 5 healthy, has 5 · and 1 more reasons',
    );
    for (const reason of ['busy', 'cap_reached', 'floor'] as const) {
      assert.match(remedyFor(reason), /goes on when/);
    }
    assert.equal(mainReason([]), 'busy');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holdViolations, touchRecordsOf } from '../../support/checker/hold-rules.ts';

const judge = (text: string) =>
  holdViolations(touchRecordsOf(text), { domainOf: (host) => `zone ${host.charAt(0)}`, cap: 1 });

describe('the checker of holds', () => {
  it('one host of a zone after another is right', () => {
    assert.deepEqual(judge('touched r a1\nproven r a1\ntouched r a2\nproven r a2\n'), []);
    assert.deepEqual(judge('touched r a1\ntouched s b1\nproven r a1\nproven s b1\n'), []);
  });

  it('a zone above its cap, a host with two holders and one that is touched twice are found', () => {
    assert.deepEqual(judge('touched r a1\ntouched r a2\n'), [
      'zone a had 2 hosts touched at once: a1, a2',
    ]);
    assert.deepEqual(judge('touched r a1\ntouched s a1\n'), ['s touched a1, which r held']);
    assert.deepEqual(judge('touched r a1\nproven r a1\ntouched r a1\n'), ['r touched a1 twice']);
    assert.deepEqual(judge('proven r a1\n'), ['r proved a1, which it never touched']);
  });

  it('a line that no host writes is no record', () => {
    assert.throws(() => touchRecordsOf('touched r a1\ngarbage\n'), /no record: garbage/);
  });
});

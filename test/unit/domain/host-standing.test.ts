import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostStanding } from '../../../domain/host-standing.ts';

const of = (
  letters: string,
  over: { readonly proof?: string; readonly isInFlight?: boolean } = {},
) =>
  hostStanding({
    ...{ isInFlight: false, proof: null, ...over },
    steps: [...letters].map((letter, at) => ({ name: `step-${at + 1}`, letter })),
  });

describe('how a host stands in a repair', () => {
  it('is the letter of the last step that was begun', () => {
    assert.deepEqual(of('sf'), { letter: 'f' });
    assert.deepEqual(of('p'), { letter: 'p' });
  });

  it('says of a host that only an earlier step came to which one that was, and not that nobody came', () => {
    assert.deepEqual(of('sh'), { letter: 's', step: 'step-1' });
    assert.deepEqual(of('sfh'), { letter: 'f', step: 'step-2' });
    assert.deepEqual([of('hh'), of('')], [{ letter: 'h' }, { letter: 'h' }]);
  });

  it('is the word of a proof that was not passed, whatever the steps ended with', () => {
    assert.deepEqual(of('ss', { proof: 'f' }), { letter: 'f', step: 'verify' });
    assert.deepEqual(of('ss', { proof: 's' }), { letter: 's' });
    assert.deepEqual(of('sf', { proof: 'h' }), { letter: 'f' });
  });

  it('is running while its script may run, also when it was tried before', () => {
    assert.deepEqual(of('h', { isInFlight: true }), { letter: '.' });
    assert.deepEqual(of('sf', { isInFlight: true, proof: 'f' }), { letter: '.' });
  });
});

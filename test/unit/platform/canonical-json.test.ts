import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, canonicalParts } from '../../../platform/canonical-json.ts';

/** The same data with the keys of every object in reverse. */
const reversed = (data: unknown): unknown => {
  if (typeof data !== 'object' || data === null) return data;
  if (Array.isArray(data)) return data.map(reversed);
  return Object.fromEntries(
    Object.entries(data)
      .reverse()
      .map(([key, value]) => [key, reversed(value)]),
  );
};

describe('canonical JSON', () => {
  it('is JSON of the same data, whatever the order of its keys', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (data) => {
        const text = canonicalJson(data);

        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(data)));
        assert.equal(canonicalJson(reversed(data)), text);
      }),
    );
  });

  it('in pieces it is the same text', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        assert.equal([...canonicalParts(data)].join(''), canonicalJson(data));
      }),
    );
    assert.equal(
      [...canonicalParts({ b: undefined, a: [undefined, 1] })].join(''),
      '{"a":[null,1]}',
    );
  });

  it('leaves out what is undefined, as JSON does', () => {
    assert.equal(canonicalJson({ b: undefined, a: [undefined, 1] }), '{"a":[null,1]}');
  });
});

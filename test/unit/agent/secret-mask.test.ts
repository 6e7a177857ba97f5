import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  maskBeginning,
  maskReachBytes,
  maskSecrets,
  secretPieces,
} from '../../../agent/secret-mask.ts';

const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 60 }).map((all) => all.join(''));
const secrets = fc.array(
  fc
    .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 })
    .map((all) => all.join('')),
  { minLength: 1, maxLength: 3 },
);

describe('masking secrets', () => {
  it('leaves no secret, and every length and offset as it was', () => {
    fc.assert(
      fc.property(text, secrets, (output, values) => {
        const pieces = values.map((each) => Buffer.from(each));
        const masked = maskSecrets(Buffer.from(output), pieces);
        assert.equal(masked.length, output.length);
        for (const value of values) assert.equal(masked.includes(value), false);
      }),
    );
  });

  it('gives the same bytes in whatever portions the output is read', () => {
    fc.assert(
      fc.property(text, secrets, fc.nat(60), fc.nat(60), (output, values, one, other) => {
        const bytes = Buffer.from(output);
        const pieces = values.map((each) => Buffer.from(each));
        const reach = maskReachBytes(pieces);
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const start = Math.max(0, from - reach);

        const portion = maskSecrets(bytes.subarray(start, to + reach), pieces);

        const whole = maskSecrets(bytes, pieces);
        assert.deepEqual(
          portion.subarray(from - start, to - start),
          whole.subarray(from, Math.max(from, to)),
        );
      }),
    );
  });

  it('hides a beginning that the end of the output cut off', () => {
    const bytes = Buffer.from('token: hunter2-is-');

    maskBeginning(bytes, [Buffer.from('hunter2-is-long')]);

    assert.equal(bytes.toString(), 'token: ***********');
  });

  it('knows a secret of several lines by its long lines too', () => {
    const pieces = secretPieces(Buffer.from('-----BEGIN KEY-----\nabc\nMIIEvQIBADAN\n'));

    assert.deepEqual(
      pieces.map((each) => each.toString()),
      ['-----BEGIN KEY-----\nabc\nMIIEvQIBADAN', '-----BEGIN KEY-----', 'MIIEvQIBADAN'],
    );
    assert.deepEqual(secretPieces(Buffer.from('\n')), []);
  });
});

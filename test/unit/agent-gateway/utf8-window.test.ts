import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { spanOf, utf8Window } from '../../../agent-gateway/utf8-window.ts';

/** One read as the gateway does it. */
function read(all: Buffer, of: { offset: number; limit: number; isEnd: boolean }) {
  const { start, end } = spanOf(of.offset, of.limit);
  return utf8Window({ ...of, bytes: all.subarray(start, end), from: start });
}

const character = fc.constantFrom('a', '\n', 'é', '漢', '字', '😀', '👩‍🚀', '\u{10ffff}', '\ufeff');
const text = fc.array(character, { maxLength: 60 }).map((parts) => parts.join(''));
const limit = fc.integer({ min: 0, max: 9 });

describe('utf8 windows', () => {
  it('following next from any offset gives the text byte for byte, whatever the limits', () => {
    fc.assert(
      fc.property(text, fc.nat(200), fc.infiniteStream(limit), (whole, at, limits) => {
        const all = Buffer.from(whole);
        const from = Math.min(at, all.length);
        const pieces: string[] = [];
        let start: number | undefined;
        let offset = from;
        while (offset < all.length) {
          const window = read(all, { offset, limit: limits.next().value ?? 1, isEnd: true });
          start ??= window.start;
          assert.ok(window.end > offset, 'a read goes on');
          pieces.push(window.text);
          offset = window.end;
        }
        const expected = all.subarray(start ?? from);
        assert.ok(from - (start ?? from) < 4);
        assert.deepEqual(Buffer.from(pieces.join('')), Buffer.from(expected));
      }),
    );
  });

  it('a character that is not complete waits, and comes whole once it is', () => {
    fc.assert(
      fc.property(text, fc.nat(200), (whole, at) => {
        const all = Buffer.from(whole);
        const cut = Math.min(at, all.length);
        const early = read(all.subarray(0, cut), { offset: 0, limit: 1_000, isEnd: false });
        const late = read(all, { offset: early.end, limit: 1_000, isEnd: true });

        assert.equal(early.text + late.text, whole);
        assert.ok(cut - early.end < 4);
      }),
    );
  });

  it('bytes that are no text become U+FFFD, and each is read once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), limit, (bytes, size) => {
        const all = Buffer.from(bytes);
        let offset = 0;
        while (offset < all.length) {
          const window = read(all, { offset, limit: size, isEnd: true });
          assert.equal(window.start, offset);
          assert.ok(window.end > offset && window.end <= all.length);
          offset = window.end;
        }
        assert.equal(offset, all.length);
      }),
    );
  });
});

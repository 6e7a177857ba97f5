const longest = 4;

/** A piece of output as text. Both ends are byte offsets at the edge of a character. */
export type TextWindow = {
  readonly start: number;
  readonly end: number;
  readonly text: string;
};

/**
 * Bytes to read so that `utf8Window` can find the edges of `[offset, offset + limit)`: a
 * character more on either side.
 */
export const spanOf = (offset: number, limit: number): { start: number; end: number } => ({
  start: Math.max(0, offset - (longest - 1)),
  end: offset + Math.max(limit, longest) + longest,
});

/**
 * The whole characters of `[offset, offset + limit)` in `bytes`, which begin at byte `from` of the
 * output. An offset inside a character goes back to its first byte. A character that is not
 * complete is left for the next read, unless `isEnd` says that nothing will follow; bytes that are
 * no UTF-8 become U+FFFD and count as they are. At least one character comes if there is one.
 */
export function utf8Window(of: {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly offset: number;
  readonly limit: number;
  readonly isEnd: boolean;
}): TextWindow {
  const { bytes } = of;
  const asked = Math.min(of.offset - of.from, bytes.length);
  const start = edgeBefore(bytes, asked);
  const wanted = Math.min(asked + of.limit, bytes.length);
  let end = edgeBefore(bytes, wanted);
  if (end <= start) end = edgeAfter(bytes, start);
  if (!of.isEnd && end === bytes.length) end = Math.min(end, completeUntil(bytes));
  if (end < start) end = start;
  return {
    start: of.from + start,
    end: of.from + end,
    text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start, end)),
  };
}

/** The edge of a character at or before `at`. A stray continuation byte is a character of its own. */
function edgeBefore(bytes: Uint8Array, at: number): number {
  if (!isContinuation(bytes[at])) return at;
  for (let back = 1; back < longest && back <= at; back += 1) {
    if (isContinuation(bytes[at - back])) continue;
    return back < lengthAt(bytes, at - back) ? at - back : at;
  }
  return at;
}

/** The edge after the character that begins at `start`. */
function edgeAfter(bytes: Uint8Array, start: number): number {
  const most = Math.min(start + lengthAt(bytes, start), bytes.length);
  let end = Math.min(start + 1, bytes.length);
  while (end < most && isContinuation(bytes[end])) end += 1;
  return end;
}

/** How many of the bytes are no beginning of a character that may still be completed. */
function completeUntil(bytes: Uint8Array): number {
  for (let back = 1; back < longest && back <= bytes.length; back += 1) {
    const start = bytes.length - back;
    if (isContinuation(bytes[start])) continue;
    return back < lengthAt(bytes, start) ? start : bytes.length;
  }
  return bytes.length;
}

const isContinuation = (byte: number | undefined): boolean =>
  byte !== undefined && (byte & 0xc0) === 0x80;

/** Bytes of the character that begins at `at`; 1 for what begins none. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at] ?? 0;
  if (byte >= 0xf0 && byte <= 0xf4) return 4;
  if (byte >= 0xe0 && byte <= 0xef) return 3;
  return byte >= 0xc2 && byte <= 0xdf ? 2 : 1;
}

/** Shorter lines of a secret of several lines are too common to be told from ordinary output. */
const lineBytesMin = 8;
/** A cut-off beginning of a secret is masked from this length on. */
const beginningBytesMin = 4;
const star = '*'.charCodeAt(0);

/**
 * What must not be seen of a secret file: all of it without its last line break, and each of its
 * lines that is long enough to be told from other text.
 */
export function secretPieces(value: Buffer): Buffer[] {
  const text = value.toString('latin1').replace(/[\r\n]+$/, '');
  const lines = text.split(/\r?\n/).filter((line) => line.length >= lineBytesMin);
  return [...new Set([text, ...lines])]
    .filter((piece) => piece.length > 0)
    .map((piece) => Buffer.from(piece, 'latin1'));
}

/** Bytes on either side of a place that decide whether it is part of a secret. */
export const maskReachBytes = (pieces: readonly Buffer[]): number =>
  Math.max(0, ...pieces.map((piece) => piece.length - 1));

/**
 * `bytes` with every byte of a secret replaced by `*`. Length and offsets stay, and what becomes of
 * a byte depends only on the bytes within `maskReachBytes` of it: reading in other portions gives
 * the same text.
 */
export function maskSecrets(bytes: Buffer, pieces: readonly Buffer[]): Buffer {
  const masked = Buffer.from(bytes);
  for (const piece of pieces) {
    let at = bytes.indexOf(piece);
    while (at >= 0) {
      masked.fill(star, at, at + piece.length);
      at = bytes.indexOf(piece, at + 1);
    }
  }
  return masked;
}

/** Masks, in place, a secret's beginning at the end of `bytes`: output that was cut off within it. */
export function maskBeginning(bytes: Buffer, pieces: readonly Buffer[]): void {
  for (const piece of pieces) {
    const longest = Math.min(piece.length - 1, bytes.length);
    for (let length = longest; length >= beginningBytesMin; length -= 1) {
      if (bytes.subarray(bytes.length - length).equals(piece.subarray(0, length))) {
        bytes.fill(star, bytes.length - length);
        break;
      }
    }
  }
}

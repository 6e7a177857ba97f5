import { limits } from '../contracts/limits.ts';
import type { JobState } from '../contracts/task.ts';
import { isFinal } from '../domain/job.ts';

/** What Redis keeps of one stream: its head and, once it is longer, its tail (rule X11). */
export type Kept = {
  readonly head: Buffer;
  /** Byte offset of the tail's first byte. */
  readonly tailFrom: number;
  readonly tail: Buffer;
};

/** Bytes without a gap, from byte `from` of the stream. */
type Part = { readonly from: number; readonly bytes: Buffer };

/** The part that holds byte `at`, or that ends right there; null if that byte is not kept. */
export const partAt = (kept: Kept, at: number): Part | null =>
  partsOf(kept).find(({ from, bytes }) => from <= at && at < from + bytes.length) ?? null;

/** The first part that begins behind byte `at`, or null. */
export const nextPart = (kept: Kept, at: number): Part | null =>
  partsOf(kept).find(({ from }) => from > at) ?? null;

/**
 * How many bytes of the stream there are, or null if only the host knows: while a head that is full
 * is all that came, and where a job ended without the agent's word. `bytes` is what the report says.
 */
export function endOf(
  { head, tail, tailFrom }: Kept,
  of: { readonly state: JobState; readonly bytes: number },
): number | null {
  const held = tail.length > 0 ? tailFrom + tail.length : head.length;
  if (isFinal(of.state) && of.state !== 'unknown') return Math.max(of.bytes, held);
  if (of.bytes > 0) return Math.max(of.bytes, held);
  return tail.length > 0 || head.length < limits.outputHeadBytes ? held : null;
}

function partsOf({ head, tail, tailFrom }: Kept): readonly Part[] {
  const first = { from: 0, bytes: head };
  if (tail.length === 0) return [first];
  if (tailFrom === head.length) return [{ from: 0, bytes: Buffer.concat([head, tail]) }];
  return [first, { from: tailFrom, bytes: tail }];
}

import { limits } from '../contracts/limits.ts';
import { invariant } from './errors.ts';

/** One part of a batch expression: how large the batch of its number is. */
export type BatchPart =
  | { readonly kind: 'hosts'; readonly hosts: number }
  /** Of the total, not of what remains. */
  | { readonly kind: 'percent'; readonly percent: number }
  /** The batch before and so many more. */
  | { readonly kind: 'plus'; readonly hosts: number }
  /** The batch before, so many times. */
  | { readonly kind: 'times'; readonly factor: number };

/** `part` counts from 1. */
export type BatchExpression =
  | { readonly kind: 'parts'; readonly parts: readonly BatchPart[] }
  | { readonly kind: 'wrong'; readonly part: number; readonly value: string; readonly fix: string };

export type BatchSizes =
  | { readonly kind: 'sizes'; readonly sizes: readonly number[] }
  /** `hostsLeft` would have no batch. */
  | { readonly kind: 'too_many_batches'; readonly hostsLeft: number };

/**
 * Reads BlueKing's batch expression, as `1 10% +5 *2`, or a plain number. Never throws: what is
 * wrong names the first wrong part and the fix.
 */
export function parseBatchExpression(expression: string | number): BatchExpression {
  const texts = String(expression).split(' ');
  const parts: BatchPart[] = [];
  for (const [at, text] of texts.entries()) {
    const part = at < limits.rolloutBatchesMax ? partOf(text) : tooManyParts;
    if (typeof part === 'string') return { kind: 'wrong', part: at + 1, value: text, fix: part };
    parts.push(part);
  }
  return { kind: 'parts', parts };
}

const tooManyParts = `take this part and those after it out: ${limits.rolloutBatchesMax} parts may be, one for each batch`;
const emptyPart = 'write at least one part, and exactly one space between two parts';
const badForm = 'must be N, N%, +N or *N with a whole number, as in "1 10% +5 *2"';
const percentRange = 'must be 1% to 100%, of all hosts of the step';
const zero = 'must be at least 1: a batch without hosts never ends';
const tooLarge = `must be at most ${limits.targetsMax}, the most hosts that a repair may have`;

/** The part, or how to put it right. */
function partOf(text: string): BatchPart | string {
  if (text === '') return emptyPart;
  const [, sign, digits, percent] = /^([+*]?)([0-9]+)(%?)$/.exec(text) ?? [];
  if (digits === undefined || (sign && percent)) return badForm;
  const number = Number(digits);
  if (percent) {
    return number >= 1 && number <= 100 ? { kind: 'percent', percent: number } : percentRange;
  }
  if (number === 0) return zero;
  if (number > limits.targetsMax) return tooLarge;
  if (sign === '*') return { kind: 'times', factor: number };
  return { kind: sign === '+' ? 'plus' : 'hosts', hosts: number };
}

/**
 * The size of batch after batch, without end: part k for batch k, the last part repeats. Each as
 * the expression says it, at most `total`; what remains of the hosts does not cut it.
 */
export function* sizesOf(parts: readonly BatchPart[], total: number): Generator<number> {
  let previous = 0;
  for (let batch = 0; ; batch++) {
    const part = parts[Math.min(batch, parts.length - 1)];
    invariant(part, 'a batch expression has at least one part');
    previous = Math.min(total, sizeOf(part, { previous, total }));
    yield previous;
  }
}

function sizeOf(part: BatchPart, of: { readonly previous: number; readonly total: number }) {
  switch (part.kind) {
    case 'hosts':
      return part.hosts;
    case 'percent':
      return Math.ceil((of.total * part.percent) / 100);
    case 'plus':
      return of.previous + part.hosts;
    case 'times':
      // The first batch has none before it, and is the factor itself.
      return Math.max(1, of.previous) * part.factor;
    default:
      return part satisfies never;
  }
}

/** Sizes of all batches of `total` hosts where nothing but the expression limits them; their sum is `total`. */
export function batchSizes(parts: readonly BatchPart[], total: number): BatchSizes {
  const sizes: number[] = [];
  let hostsLeft = total;
  for (const size of sizesOf(parts, total)) {
    if (hostsLeft === 0) break;
    if (sizes.length === limits.rolloutBatchesMax) return { kind: 'too_many_batches', hostsLeft };
    sizes.push(Math.min(size, hostsLeft));
    hostsLeft -= Math.min(size, hostsLeft);
  }
  return { kind: 'sizes', sizes };
}

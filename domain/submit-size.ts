import { limits } from '../contracts/limits.ts';
import type { ScriptAction, TaskTarget } from '../contracts/task.ts';

/** Key, label, limits, times and callback of a submit: at most so many bytes beside script and targets. */
const frameBytes = 8 * 1024;

const encoder = new TextEncoder();

/** Bytes of a value as JSON in UTF-8, which is how Temporal stores a payload. */
export const jsonBytes = (value: unknown): number => encoder.encode(JSON.stringify(value)).length;

/** Bytes of each target in a submit, the comma included. */
export const targetBytes = (targets: readonly TaskTarget[]): readonly number[] =>
  targets.map((target) => jsonBytes(target) + 1);

/** Bytes of a submit without its targets; a little more than there are, never fewer. */
export const actionBytes = (action: ScriptAction): number => jsonBytes(action) + frameBytes;

/**
 * Cuts hosts, in order, into batches that one submit each can hold: at most `limits.batchHostsMax`
 * and `limits.submitBytesMax`. A host that alone is too large is a batch of its own.
 */
export function submitsOf(of: {
  readonly action: ScriptAction;
  readonly targets: readonly TaskTarget[];
}): readonly (readonly number[])[] {
  const batches: number[][] = [];
  const empty = actionBytes(of.action);
  let bytes = Number.POSITIVE_INFINITY;
  for (const [at, more] of targetBytes(of.targets).entries()) {
    const current = batches.at(-1);
    const isFull =
      current === undefined ||
      current.length >= limits.batchHostsMax ||
      bytes + more > limits.submitBytesMax;
    if (isFull) {
      batches.push([at]);
      bytes = empty + more;
    } else {
      current.push(at);
      bytes += more;
    }
  }
  return batches;
}

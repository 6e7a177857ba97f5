import type { Refusal } from '../contracts/admission.ts';
import { HostQueue } from './host-queue.ts';

/** What one run carries of it into the next; plain JSON. */
export type CarriedRollout = {
  /** Positions that wait for their batch, in order; null before the first one of a step. */
  readonly waiting: readonly number[] | null;
  readonly accepted: number;
  readonly overruns: readonly (readonly [string, string])[];
  readonly givenUp: readonly Refusal[] | null;
  /** Batches of hosts that were tried again: their number, from 0, and size. */
  readonly again?: readonly (readonly [number, number])[];
};

/**
 * What a rollout must remember from one batch to the next: the hosts that wait for theirs, failures that an operator accepted, steps with more of them than they may have, and why it was
 * given up to wait.
 */
export class RolloutMemory {
  #queue: HostQueue | null = null;
  readonly #carriedWaiting: readonly number[] | null;
  #accepted: number;
  readonly #overruns: Map<string, string>;
  #givenUp: readonly Refusal[] | null;
  #again: readonly (readonly [number, number])[];

  constructor(carried?: CarriedRollout) {
    this.#carriedWaiting = carried?.waiting ?? null;
    this.#accepted = carried?.accepted ?? 0;
    this.#overruns = new Map(carried?.overruns);
    this.#givenUp = carried?.givenUp ?? null;
    this.#again = carried?.again ?? [];
  }

  /** A step begins, or goes on after what was carried: these batches are left of it, the first one `from`. */
  beginStep(batches: readonly (readonly number[])[], from: number): HostQueue {
    const isGoingOn = this.#queue === null && from > 0;
    if (!isGoingOn) {
      this.#accepted = 0;
      this.#again = [];
    }
    const waiting = isGoingOn ? this.#carriedWaiting : null;
    this.#queue = new HostQueue({
      waiting: waiting ?? batches.slice(from).flat(),
      sizes: batches.map(({ length }) => length),
    });
    for (const [batch, size] of this.#again) this.#queue.makeRoom(batch, size);
    return this.#queue;
  }

  /** Batch `batch` (from 0) is of hosts that are tried again. */
  tryAgain(batch: number, size: number): void {
    this.#again = [...this.#again, [batch, size]];
    this.#queue?.makeRoom(batch, size);
  }

  /** Failures of the step that an operator saw and went on with. */
  get accepted(): number {
    return this.#accepted;
  }
  accept(failures: number): void {
    this.#accepted = failures;
  }

  /** The step had more failures than it may have, and went on all the same: the repair ends failed. */
  overran(step: string, reason: string): void {
    this.#overruns.set(step, reason);
  }
  /** It is judged anew. */
  recovered(step: string): void {
    this.#overruns.delete(step);
  }
  get overruns(): readonly string[] {
    return [...this.#overruns.values()];
  }

  /** Nobody was admitted for too long: whoever had no turn by then has none. */
  giveUp(refusals: readonly Refusal[]): void {
    this.#givenUp = refusals;
  }
  get givenUp(): readonly Refusal[] | null {
    return this.#givenUp;
  }

  carried(): CarriedRollout {
    return {
      waiting: this.#queue?.waiting ?? null,
      accepted: this.#accepted,
      overruns: [...this.#overruns],
      givenUp: this.#givenUp,
      ...(this.#again.length === 0 ? {} : { again: this.#again }),
    };
  }
}

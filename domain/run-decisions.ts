import type { OperatorDecision, OperatorUpdate } from '../contracts/temporal.ts';

/** What one run carries of it into the next; plain JSON. */
export type CarriedDecisions = {
  readonly pause: OperatorUpdate | null;
  readonly made: readonly OperatorDecision[];
};

/** Decisions that a run remembers; each is in history for ever. */
const rememberedMax = 50;

/**
 * What operators want of a running repair. Updates only write here; the main function looks when it
 * can act on it. Pausing stops new batches only (rule X16).
 */
export class RunDecisions {
  #cancel: OperatorUpdate | null = null;
  #pause: OperatorUpdate | null;
  #isConfirmed = false;
  #isRetryWanted = false;
  #made: readonly OperatorDecision[];

  constructor(carried?: CarriedDecisions) {
    this.#pause = carried?.pause ?? null;
    this.#made = carried?.made ?? [];
  }

  /** The first that asked for it. */
  get cancel(): OperatorUpdate | null {
    return this.#cancel;
  }
  /** Who wants no further batch to start, and why; null if one may. */
  get pause(): OperatorUpdate | null {
    return this.#pause;
  }
  get made(): readonly OperatorDecision[] {
    return this.#made;
  }

  wantCancel(update: OperatorUpdate): void {
    this.#cancel ??= update;
  }
  wantPause(update: OperatorUpdate): void {
    this.#pause ??= update;
  }
  wantResume(): void {
    this.#pause = null;
    this.#isConfirmed = false;
  }
  /** One batch more may start; then it pauses again. */
  confirmBatch(): void {
    this.#isConfirmed = true;
  }

  /** Failed hosts are to be tried again; nothing else starts. */
  wantRetry(): void {
    this.#isRetryWanted = true;
  }
  get isRetryWanted(): boolean {
    return this.#isRetryWanted;
  }
  /** Whether that was wanted; it counts once. */
  takeRetry(): boolean {
    const wanted = this.#isRetryWanted;
    this.#isRetryWanted = false;
    return wanted;
  }

  /** Whether a further batch may start now. */
  get mayStart(): boolean {
    return this.#pause === null || this.#isConfirmed;
  }
  /** A batch starts: what was confirmed is used up. */
  started(): void {
    this.#isConfirmed = false;
  }

  record(decision: OperatorDecision): void {
    this.#made = [...this.#made, decision].slice(-rememberedMax);
  }

  carried(): CarriedDecisions {
    return { pause: this.#pause, made: this.#made };
  }
}

import type { RetryClass } from './job.ts';

/** Letters that count as a failed host (rule X10). */
const failedLetters: ReadonlySet<string> = new Set(['f', 't', 'r', 'e', 'x', 'n', 'u']);

/** Letters after which a script may have run. */
const ranLetters: ReadonlySet<string> = new Set(['s', 'p', 'f', 't', 'u']);

/** The retry class of a letter; `r` needs its reason, so it is given by the report's failures. */
const classOfLetter: Readonly<Record<string, RetryClass>> = {
  f: 'failed',
  t: 'timed_out',
  e: 'unreachable',
  x: 'unreachable',
  u: 'unknown',
};

export const isFailedLetter = (letter: string): boolean => failedLetters.has(letter);
/** Expired and unreachable jobs were never written to a host (design 5.4). */
export const isNeverStarted = (letter: string): boolean => letter === 'e' || letter === 'x';
export const isSuccessLetter = (letter: string): boolean => letter === 's' || letter === 'p';

/** `[0, size), [size, 2·size), …` over `count` hosts: positions of each batch, in plan order. */
export function batchesOf(count: number, size: number): readonly (readonly number[])[] {
  const batches: number[][] = [];
  for (let start = 0; start < count; start += size) {
    batches.push(Array.from({ length: Math.min(size, count - start) }, (_, at) => start + at));
  }
  return batches;
}

/** How many hosts of `planned` may fail: N, or a percentage rounded down (rule X10). */
export function failuresAllowed(maxFailures: number | string, planned: number): number {
  if (typeof maxFailures === 'number') return maxFailures;
  return Math.floor((planned * Number(maxFailures.slice(0, -1))) / 100);
}

/**
 * What became of every host of one step: a letter each, in the plan's order. `h` until a host is
 * submitted. A final letter changes only by a later attempt, and success is never overwritten.
 */
export class BatchLedger {
  readonly #letters: string[];
  /** Positions of hosts where some attempt may have run, whatever a later one ended with. */
  readonly #began: Set<number>;

  /** `began` is what `begun()` answered. */
  constructor(carried: number | string, began: readonly number[] = []) {
    this.#letters =
      typeof carried === 'number' ? new Array<string>(carried).fill('h') : [...carried];
    this.#began = new Set(began);
  }

  /** Records an attempt's letters for the hosts at `positions`. Earlier successes of the batch become `p`. */
  record(positions: readonly number[], letters: string): void {
    for (const [at, position] of positions.entries()) {
      const letter = letters.charAt(at);
      if (letter !== '' && ranLetters.has(letter)) this.#began.add(position);
      if (letter === '' || isSuccessLetter(this.letterAt(position))) continue;
      this.#letters[position] = letter;
    }
  }

  /** These were cancelled after their script had begun. */
  began(positions: readonly number[]): void {
    for (const position of positions) this.#began.add(position);
  }

  /** Whether some attempt ran on the host, or may have: then there may be something to undo. */
  mayHaveRun(position: number): boolean {
    return this.#began.has(position) || ranLetters.has(this.letterAt(position));
  }

  /** Positions of which that cannot be told by their letters. */
  begun(): readonly number[] {
    return [...this.#began].filter((position) => !ranLetters.has(this.letterAt(position)));
  }

  /** Marks hosts that succeeded before an attempt that does not include them. */
  markEarlier(positions: readonly number[]): void {
    for (const position of positions) {
      if (this.letterAt(position) === 's') this.#letters[position] = 'p';
    }
  }

  /** Takes hosts out that were never submitted: `k`, their alerts are over (rule R4). */
  skip(positions: readonly number[]): void {
    for (const position of positions) {
      if (this.letterAt(position) === 'h') this.#letters[position] = 'k';
    }
  }

  /** Nothing was done to these, or it counts no longer: they wait for their turn again. */
  restore(positions: readonly number[]): void {
    for (const position of positions) this.#letters[position] = 'h';
  }

  letterAt(position: number): string {
    return this.#letters[position] ?? 'h';
  }

  /** Those of `positions` whose letter may be tried again under `classes`. */
  retryable(of: {
    readonly positions: readonly number[];
    readonly classes: readonly RetryClass[];
    /** Positions whose refusal says "not now" (design 5.4). */
    readonly refusedForNow: ReadonlySet<number>;
  }): readonly number[] {
    return of.positions.filter((position) => {
      const letter = this.letterAt(position);
      const retry =
        letter === 'r' && of.refusedForNow.has(position) ? 'unreachable' : classOfLetter[letter];
      return retry !== undefined && of.classes.includes(retry);
    });
  }

  failed(): number {
    return this.#letters.filter(isFailedLetter).length;
  }

  /** Hosts whose job was cancelled. In a run that nobody cancelled, that was done to the task alone. */
  cancelled(): number {
    return this.#letters.filter((letter) => letter === 'c').length;
  }

  succeeded(): number {
    return this.#letters.filter(isSuccessLetter).length;
  }

  /** One letter a host, in the plan's order. */
  letters(): string {
    return this.#letters.join('');
  }
}

/**
 * Hosts of a step that wait for their batch, as positions in the plan. Whoever is refused goes to the
 * end, so that one busy host holds up nobody else.
 */
export class HostQueue {
  #waiting: readonly number[];
  #sizes: readonly number[];

  /** `sizes` are those of the planned batches; what waits longer comes in batches of the largest. */
  constructor(of: { readonly waiting: readonly number[]; readonly sizes: readonly number[] }) {
    this.#waiting = of.waiting;
    this.#sizes = of.sizes;
  }

  get length(): number {
    return this.#waiting.length;
  }
  get waiting(): readonly number[] {
    return this.#waiting;
  }

  /** The first of them, as many as batch `batch` (from 0) has; they stay until they are taken. */
  first(batch: number): readonly number[] {
    return this.#waiting.slice(0, this.#sizeOf(batch));
  }

  /** These wait no longer. */
  take(positions: readonly number[]): void {
    if (positions.every((position, at) => this.#waiting[at] === position)) {
      // In turn, as mostly: thousands leave one by one without a look at all others each time.
      this.#waiting = this.#waiting.slice(positions.length);
      return;
    }
    const taken = new Set(positions);
    this.#waiting = this.#waiting.filter((position) => !taken.has(position));
  }

  /** These wait behind all others. */
  toEnd(positions: readonly number[]): void {
    this.take(positions);
    this.#waiting = [...this.#waiting, ...positions];
  }

  /** A batch of others takes the place of batch `batch` (from 0): those that wait come one later. */
  makeRoom(batch: number, size: number): void {
    this.#sizes = [...this.#sizes.slice(0, batch), size, ...this.#sizes.slice(batch)];
  }

  /** How many batches there are in all, if those that wait come from batch `batch` (from 0) on. */
  batchesFrom(batch: number): number {
    let next = batch;
    for (let left = this.length; left > 0; next++) left -= this.#sizeOf(next);
    return next;
  }

  #sizeOf(batch: number): number {
    return this.#sizes[batch] ?? Math.max(1, ...this.#sizes);
  }
}

import type { Clock } from '../platform/clock.ts';

const keptMax = 10_000;

/** Mailboxes that are surely open, because this process handed them something a short while ago. */
export class KnownMailboxes {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A mailbox has an alert now; it stays open for `lingerMs` from there at least. */
  heard(mailboxId: string, lingerMs: number): void {
    this.#until.delete(mailboxId); // The order is that of the last word.
    // Half of it, because clocks and the way there take their time.
    this.#until.set(mailboxId, this.#clock.monotonic() + lingerMs / 2);
    const [oldest] = this.#until.keys();
    if (this.#until.size > keptMax && oldest !== undefined) this.#until.delete(oldest);
  }

  isOpen(mailboxId: string): boolean {
    return this.#clock.monotonic() < (this.#until.get(mailboxId) ?? 0);
  }
}

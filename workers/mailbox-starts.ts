import type { Storm } from '../contracts/storm.ts';
import type { Clock } from '../platform/clock.ts';
import type { StartLeave } from '../redis/mass-sense.ts';

export type StartOutcome =
  | { readonly kind: 'go' }
  | { readonly kind: 'storm'; readonly storm: Storm };

/**
 * Leave to open mailboxes (rule R14): all dispatchers together open a few a second, so that a burst of
 * groups does not become a burst of workflows. Who waits here waits in order; a storm that begins
 * meanwhile is told to everybody who waits under its policy.
 */
export class MailboxStarts {
  readonly #leave: (policy: string) => Promise<StartLeave>;
  readonly #clock: Clock;
  readonly #stopped: AbortSignal;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(of: {
    readonly leave: (policy: string) => Promise<StartLeave>;
    readonly clock: Clock;
    readonly stopped: AbortSignal;
  }) {
    this.#leave = of.leave;
    this.#clock = of.clock;
    this.#stopped = of.stopped;
  }

  /** Whether somebody waits already: then it is worth asking first if the mailbox is open. */
  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  /** Resolves when a mailbox of the policy may be opened, or must not be; rejects if Redis fails or after the stop. */
  async admit(policy: string): Promise<StartOutcome> {
    this.#waiting += 1;
    const turn = this.#last.then(() => this.#granted(policy));
    this.#last = turn.catch(() => undefined); // Told to whoever asked; the next has a turn of its own.
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #granted(policy: string): Promise<StartOutcome> {
    for (;;) {
      const leave = await this.#leave(policy);
      if (leave.kind !== 'wait') return leave;
      await this.#clock.sleep(leave.waitMs, this.#stopped);
    }
  }
}

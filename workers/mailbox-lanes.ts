import { limits } from '../contracts/limits.ts';
import type { Storm } from '../contracts/storm.ts';
import type { AlertRef } from '../contracts/temporal.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Backoff } from './backoff.ts';
import { KnownMailboxes } from './known-mailboxes.ts';
import {
  type MailboxAddress,
  type MailboxSignals,
  mailboxIdOf,
  type SignalOutcome,
} from './mailbox-signals.ts';
import type { MailboxStarts } from './mailbox-starts.ts';
import { Slots } from './slots.ts';

/** `storm`: the mailbox is not open, and is not to be opened while that lasts. */
export type LaneOutcome = SignalOutcome | { readonly storm: Storm };

type Waiting = {
  readonly alert: AlertRef;
  readonly bytes: number;
  readonly settle: (outcome: LaneOutcome) => void;
  readonly fail: (error: unknown) => void;
};
type Lane = { readonly address: MailboxAddress; readonly queue: Waiting[] };

const parallelSignals = 20;

/**
 * One lane per mailbox (rule R14): the first alert goes at once, those of the next 200 ms are
 * gathered, under load those of a second, at most 250 and 64 KB in a signal. Signals of one mailbox
 * go one after another, in the order of the stream; those of different mailboxes side by side, but
 * whoever opens one waits for leave. A failed call is made again until it works or the lanes are
 * stopped.
 */
export class MailboxLanes {
  readonly #signals: MailboxSignals;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #starts: MailboxStarts;
  readonly #known: KnownMailboxes;
  readonly #slots = new Slots(parallelSignals);
  readonly #lanes = new Map<string, Lane>();
  readonly #stopped: AbortSignal;

  constructor(of: {
    readonly signals: MailboxSignals;
    readonly starts: MailboxStarts;
    readonly clock: Clock;
    readonly log: Log;
    readonly backoff: Backoff;
    /** Once aborted, what waits is tried once more without delay, and then given up. */
    readonly stopped: AbortSignal;
  }) {
    this.#signals = of.signals;
    this.#starts = of.starts;
    this.#known = new KnownMailboxes(of.clock);
    this.#clock = of.clock;
    this.#log = of.log;
    this.#backoff = of.backoff;
    this.#stopped = of.stopped;
  }

  /** Resolves once Temporal stored the alert, or will not get it; rejects only after `stopped`. */
  send(address: MailboxAddress, alert: AlertRef): Promise<LaneOutcome> {
    return new Promise((settle, fail) => {
      const id = mailboxIdOf(address);
      const waiting = { alert, bytes: Buffer.byteLength(JSON.stringify(alert)), settle, fail };
      const lane = this.#lanes.get(id);
      if (lane) {
        lane.queue.push(waiting);
        return;
      }
      const opened = { address, queue: [waiting] };
      this.#lanes.set(id, opened);
      void this.#run(id, opened); // Never rejects: each alert hears of its own failure.
    });
  }

  async #run(id: string, lane: Lane): Promise<void> {
    // Whatever the dispatcher routes in the same turn belongs to the first signal.
    await Promise.resolve();
    while (lane.queue.length > 0) {
      const startedAt = this.#clock.monotonic();
      const batch = nextBatch(lane.queue);
      await this.#deliver(lane.address, batch);
      const isBusy = batch.length >= limits.signalBusyAlerts;
      const flushMs = isBusy ? limits.signalBusyFlushMs : limits.signalFlushMs;
      const restMs = flushMs - (this.#clock.monotonic() - startedAt);
      if (restMs > 0) await this.#clock.sleep(restMs, this.#stopped).catch(() => undefined); // Stopped: no need to gather.
    }
    this.#lanes.delete(id);
  }

  async #deliver(address: MailboxAddress, batch: readonly Waiting[]): Promise<void> {
    let left = batch;
    for (let failures = 0; left.length > 0; failures += 1) {
      try {
        left = await this.#handOver(address, left);
      } catch (error) {
        if (this.#stopped.aborted) {
          for (const { fail } of left) fail(error);
          return;
        }
        if (failures % 10 === 0) {
          this.#log.warn({ error, mailbox: mailboxIdOf(address) }, 'a mailbox was not reached');
        }
        await this.#backoff(failures, this.#stopped);
      }
    }
  }

  /** One try; answers those that are still to be handed over. */
  async #handOver(address: MailboxAddress, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    const withStart = batch.some(mayOpen);
    const isOpen = !withStart || this.#known.isOpen(mailboxIdOf(address));
    if (!isOpen && this.#starts.isBusy) {
      const outcome = await this.#signal({ address, batch, withStart: false });
      if (outcome === 'delivered') return settled(batch, outcome);
    }
    const leave = isOpen ? null : await this.#starts.admit(address.policy);
    if (leave?.kind === 'storm') {
      settled(batch.filter(mayOpen), { storm: leave.storm });
      // An end passes every guard (rule R4).
      return batch.filter((waiting) => !mayOpen(waiting));
    }
    return settled(batch, await this.#signal({ address, batch, withStart }));
  }

  async #signal(of: {
    readonly address: MailboxAddress;
    readonly batch: readonly Waiting[];
    readonly withStart: boolean;
  }): Promise<SignalOutcome> {
    const { address, batch, withStart } = of;
    const alerts = batch.map(({ alert }) => alert);
    const outcome = await this.#slots.run(() =>
      this.#signals.signal({ address, alerts, withStart }),
    );
    if (outcome === 'delivered') {
      this.#known.heard(mailboxIdOf(address), address.settings.lingerMinMs);
    }
    return outcome;
  }
}

const mayOpen = ({ alert }: Waiting): boolean => alert.status === 'firing' && !alert.late;

function settled(batch: readonly Waiting[], outcome: LaneOutcome): readonly Waiting[] {
  for (const { settle } of batch) settle(outcome);
  return [];
}

function nextBatch(queue: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length && count < limits.signalAlertsMax) {
    bytes += queue[count]?.bytes ?? 0;
    // One alert alone always goes, whatever its size; intake keeps it far below Temporal's limit.
    if (count > 0 && bytes > limits.signalBytes) break;
    count += 1;
  }
  return queue.splice(0, count);
}

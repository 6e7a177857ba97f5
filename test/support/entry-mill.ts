import { aBody, anEntry } from './alertmanager-posts.ts';
import { SeededRandom } from './chaos/random.ts';

/** A webhook body as text, and how many entries it counts for; one that is unusable as a whole is one. */
export type MilledBody = { readonly text: string; readonly entries: number };

type Known = { readonly fingerprint: string; readonly service: string; readonly host: string };

/** What policies of a mill match: one group for all hosts, a group for each, and alerts left alone. */
export const milledServices = ['together', 'each', 'shielded'] as const;

const entriesMax = 40;
const keptBodies = 50;
const end = { status: 'resolved', endsAt: '2026-01-01T01:00:00Z' };

/** Entries that are none, each in its own way. */
const badEntries: readonly unknown[] = [
  ...[null, 7, 'an alert', [], {}],
  anEntry({ labels: {} }),
  anEntry({ labels: { alertname: 7 } }),
  anEntry({ startsAt: 'yesterday' }),
  anEntry({ status: 'resolved', endsAt: undefined }),
  anEntry({ fingerprint: 'with a space' }),
];
const badBodies: readonly string[] = [
  ...['', '{"version":"4","alerts":[', 'null', '\u0000'],
  JSON.stringify(aBody([], { version: '3' })),
  JSON.stringify({ ...aBody(), alerts: 'none' }),
];

/**
 * Alerts as senders send them at their worst: unusable ones among good ones, bodies sent again, some
 * cut short, ends before their beginnings, starts that move backwards. The same seed grinds the same.
 */
export class EntryMill {
  readonly #random: SeededRandom;
  readonly #known: Known[] = [];
  /** Began before an end that was told already. */
  readonly #owed: unknown[] = [];
  readonly #sent: MilledBody[] = [];
  #grown = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  body(): MilledBody {
    const roll = this.#random.next();
    if (roll < 0.12 && this.#sent.length > 0) return this.#random.of(this.#sent);
    if (roll < 0.15) return { text: this.#random.of(badBodies), entries: 1 };
    const entries = Array.from({ length: this.#random.between(1, entriesMax) }, () =>
      this.#entry(),
    );
    const truncatedAlerts = roll < 0.18 ? this.#random.between(1, 5) : 0;
    // The group is part of what a delivery is known by: one in ten comes by another route as well.
    const groupKey = `{}:{route="${this.#random.next() < 0.1 ? 'other' : 'main'}"}`;
    const text = JSON.stringify(aBody(entries, { truncatedAlerts, groupKey }));
    const body = { text, entries: entries.length };
    this.#sent.push(body);
    if (this.#sent.length > keptBodies) this.#sent.shift();
    return body;
  }

  #entry(): unknown {
    const roll = this.#random.next();
    if (roll < 0.05) return this.#random.of(badEntries);
    if (roll < 0.1) return entryOf(this.#new('nobody'));
    if (roll < 0.15 && this.#owed.length > 0) return this.#owed.shift();
    if (roll < 0.2) return this.#endFirst();
    const known = this.#known.length > 0 && roll < 0.5 ? this.#random.of(this.#known) : null;
    if (known === null) return entryOf(this.#new(this.#random.of(milledServices)));
    if (roll < 0.35) return entryOf(known, end);
    return entryOf(known, { startsAt: `2026-01-0${this.#random.between(1, 4)}T00:00:10Z` });
  }

  #endFirst(): unknown {
    const alert = this.#new(this.#random.of(milledServices));
    this.#owed.push(entryOf(alert));
    return entryOf(alert, end);
  }

  #new(service: string): Known {
    this.#grown += 1;
    const host = `web${this.#random.between(0, 5_000)}`;
    const alert = { fingerprint: `mill-${this.#grown}`, service, host };
    this.#known.push(alert);
    if (this.#known.length > 1_000) this.#known.shift();
    return alert;
  }
}

const entryOf = ({ fingerprint, service, host }: Known, over: object = {}): unknown =>
  anEntry({
    labels: { alertname: 'HostDown', instance: `${host}:9100`, service },
    ...{ fingerprint, ...over },
  });

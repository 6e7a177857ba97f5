import type { Redis } from 'ioredis';
import { limits } from '../contracts/limits.ts';
import type { Storm } from '../contracts/storm.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';

const sense = script('mass-sense');
const start = script('mailbox-start');

/** A host that alerts under a policy. */
export type AlertingHost = {
  readonly policy: string;
  readonly host: string;
  readonly domains: readonly string[];
  /** Hosts that may alert within the window, of the policy or of one of its domains. */
  readonly limit: number;
  /** Where that limit comes from, for people. */
  readonly limitText: string;
  /** When its alert came in, Unix ms of Redis. */
  readonly atMs: number;
};

export type StartLeave =
  | { readonly kind: 'go' }
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'storm'; readonly storm: Storm };

/**
 * What all dispatchers together know of the moment (rule R14): how many hosts alert, and how many
 * mailboxes were opened. A Redis that lost it begins from nothing. Rejects if Redis does not answer.
 */
export class MassSense {
  readonly #client: Redis;
  readonly #windowMs: number;

  constructor(of: { readonly client: Redis; readonly windowMs: number }) {
    this.#client = of.client;
    this.#windowMs = of.windowMs;
  }

  /** Takes in hosts and answers, by position, the storm that their policy is in. May be repeated. */
  async count(hosts: readonly AlertingHost[]): Promise<(Storm | null)[]> {
    if (hosts.length === 0) return [];
    const answer = await sense(
      this.#client,
      [],
      [
        ...[keys.intake.alerting(''), keys.intake.storm(''), this.#windowMs],
        ...hosts.flatMap(({ policy, host, limit, limitText, atMs, domains }) => [
          ...[policy, host, limit, limitText, atMs, domains.length],
          ...domains,
        ]),
      ],
    );
    return Array.isArray(answer) ? answer.map(stormIn) : [];
  }

  /** The storm that a policy is in now. */
  async stormOf(policy: string): Promise<Storm | null> {
    return stormIn(await this.#client.get(keys.intake.storm(policy)));
  }

  /** Asks to open a mailbox of the policy; `go` is used up by it. */
  async startLeave(policy: string): Promise<StartLeave> {
    const answer = await start(
      this.#client,
      [keys.intake.starts, keys.intake.storm(policy)],
      [1_000 / limits.mailboxStartsPerSecond, limits.mailboxStartsPerSecond],
    );
    const [kind, value] = Array.isArray(answer) ? answer : [];
    if (kind === 'wait') return { kind, waitMs: Number(value) };
    const storm = kind === 'storm' ? stormIn(value) : null;
    return storm === null ? { kind: 'go' } : { kind: 'storm', storm };
  }
}

const stormIn = (text: unknown): Storm | null =>
  typeof text === 'string' && text !== '' ? (JSON.parse(text) as Storm) : null; // Our own script wrote it.

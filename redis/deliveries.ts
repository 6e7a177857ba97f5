import type { Redis } from 'ioredis';
import type { Quarantined } from '../contracts/alert.ts';
import type { DeliveryRecord } from '../contracts/delivery.ts';
import { keys } from './keys.ts';

/** A delivery with how often it was repeated within the time its id is remembered. */
export type Delivery = DeliveryRecord & { readonly duplicates: number };

/** What became of recent deliveries, and what could not be used; both bounded. */
export class Deliveries {
  readonly #client: Redis;

  constructor(client: Redis) {
    this.#client = client;
  }

  /** Newest first. */
  async latest(limit: number): Promise<Delivery[]> {
    const ids = await this.#client.zrevrange(keys.intake.records, 0, limit - 1);
    return this.#byIds(ids);
  }

  async find(deliveryId: string): Promise<Delivery | null> {
    const [found] = await this.#byIds([deliveryId]);
    return found ?? null;
  }

  /** Newest first, each with an id of its own. */
  async quarantined(limit: number): Promise<(Quarantined & { readonly id: string })[]> {
    const rows = await this.#client.xrevrange(keys.intake.quarantine, '+', '-', 'COUNT', limit);
    return rows.flatMap(([id, fields]) => {
      const text = fields[1];
      return text === undefined ? [] : [{ id, ...(JSON.parse(text) as Quarantined) }]; // Our own script wrote it.
    });
  }

  async #byIds(ids: readonly string[]): Promise<Delivery[]> {
    if (ids.length === 0) return [];
    const [records, repeats] = await Promise.all([
      this.#client.mget(...ids.map(keys.intake.record)),
      this.#client.mget(...ids.map(keys.intake.seen)),
    ]);
    return records.flatMap(
      (text, at) =>
        text === null
          ? [] // Its time was over between the two reads.
          : [{ ...(JSON.parse(text) as DeliveryRecord), duplicates: Number(repeats[at] ?? 0) }], // Our own script wrote it.
    );
  }
}

import type { Redis } from 'ioredis';
import { type WakeMessage, wakeMessage } from '../contracts/wake.ts';
import { keys } from './keys.ts';
import { guarded } from './unavailable.ts';

/** Which gateways live, and the wake-ups between them. Rejects with `upstream_unavailable` only. */
export class Gateways {
  readonly #redis: Redis;
  readonly #subscriber: Redis;

  /** `subscriber` is a connection of its own: Redis allows a subscribed one nothing else. */
  constructor(redis: Redis, subscriber: Redis) {
    this.#redis = redis;
    this.#subscriber = subscriber;
  }

  /** Says that a gateway lives, for `ms` from now, where its API is, and whether its agents are to go. */
  async beat(of: {
    readonly gatewayId: string;
    readonly url: string;
    readonly isDraining: boolean;
    readonly ms: number;
  }): Promise<void> {
    const { alive, draining } = keys.gateway;
    const step = this.#redis.multi().set(alive(of.gatewayId), of.url, 'PX', of.ms);
    // A key of its own: gateways of before take the first one for an address.
    if (of.isDraining) step.set(draining(of.gatewayId), '1', 'PX', of.ms);
    else step.del(draining(of.gatewayId));
    await guarded(() => step.exec());
  }

  /** Says that a gateway is going, before its key would expire. */
  async leave(gatewayId: string): Promise<void> {
    const { alive, draining } = keys.gateway;
    await guarded(() => this.#redis.del(alive(gatewayId), draining(gatewayId)));
  }

  /** The URLs of those that live, by id. */
  alive(gatewayIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (gatewayIds.length === 0) return Promise.resolve(new Map());
    return guarded(async () => {
      const urls = await this.#redis.mget(...gatewayIds.map(keys.gateway.alive));
      return new Map(
        gatewayIds.flatMap((id, at) => {
          const url = urls[at] ?? null;
          return url === null ? [] : [[id, url] as const];
        }),
      );
    });
  }

  /** Those that send their agents away. */
  draining(gatewayIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (gatewayIds.length === 0) return Promise.resolve(new Set());
    return guarded(async () => {
      const marks = await this.#redis.mget(...gatewayIds.map(keys.gateway.draining));
      return new Set(gatewayIds.filter((_, at) => (marks[at] ?? null) !== null));
    });
  }

  /** Wakes a gateway. That nobody listens is no error: who is dead has nothing to be woken for. */
  async wake(gatewayId: string, message: WakeMessage): Promise<void> {
    await guarded(() => this.#redis.publish(keys.gateway.wake(gatewayId), JSON.stringify(message)));
  }

  /**
   * Hands over what a gateway is woken for, also after Redis was away. What is no message is
   * dropped. To be tried again when it rejects; the last `onMessage` is the one that hears.
   */
  async listen(gatewayId: string, onMessage: (message: WakeMessage) => void): Promise<void> {
    this.#subscriber.removeAllListeners('message');
    this.#subscriber.on('message', (_channel: string, text: string) => {
      const message = messageOf(text);
      if (message !== null) onMessage(message);
    });
    await guarded(() => this.#subscriber.subscribe(keys.gateway.wake(gatewayId)));
  }
}

function messageOf(text: string): WakeMessage | null {
  try {
    return wakeMessage.parse(JSON.parse(text));
  } catch {
    return null; // Of a newer version, or not ours; the next look finds what it was about.
  }
}

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

  /** Says that a gateway lives, for `ms` from now, and where its API is. */
  async beat(of: {
    readonly gatewayId: string;
    readonly url: string;
    readonly ms: number;
  }): Promise<void> {
    await guarded(() => this.#redis.set(keys.gateway.alive(of.gatewayId), of.url, 'PX', of.ms));
  }

  /** Says that a gateway is going, before its key would expire. */
  async leave(gatewayId: string): Promise<void> {
    await guarded(() => this.#redis.del(keys.gateway.alive(gatewayId)));
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

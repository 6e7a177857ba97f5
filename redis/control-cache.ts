import type { Redis } from 'ioredis';
import type { ControlState } from '../contracts/temporal.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';

const write = script('control-write');

/** The kill switch's cache in Redis: written by workers, read by gateways. No expiry (R6). */
export const controlCache = (redis: Redis) => ({
  /** Keeps the newer revision, whoever writes last. */
  async write(state: ControlState): Promise<void> {
    await write(redis, [keys.governor.control], [state.revision, JSON.stringify(state)]);
  },
  async isPresent(): Promise<boolean> {
    return (await redis.exists(keys.governor.control)) === 1;
  },
});

/** The text of the control cache, or null if there is none, which means stopped (invariant 4). */
export const readControl = (redis: Redis): Promise<string | null> =>
  redis.get(keys.governor.control);

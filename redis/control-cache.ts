import type { Redis } from 'ioredis';
import type { ControlState } from '../contracts/control.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';

const write = script('control-write');

/** The kill switch's cache in Redis: written by workers, read by gateways. No expiry (R6). */
export const controlCache = (redis: Redis) => ({
  /** Keeps the newer revision, whoever writes last, and returns the one that stands now. */
  async write(state: ControlState): Promise<number> {
    const args = [state.revision, JSON.stringify(state)];
    return Number(await write(redis, [keys.governor.control], args));
  },
  /** Null if there is none, or none that can be read. */
  async read(): Promise<ControlState | null> {
    const text = await redis.get(keys.governor.control);
    try {
      return text === null ? null : (JSON.parse(text) as ControlState); // Our own script wrote it.
    } catch {
      return null; // What is no JSON is put right like what is missing.
    }
  },
});

/** The text of the control cache, or null if there is none, which means stopped (invariant 4). */
export const readControl = (redis: Redis): Promise<string | null> =>
  redis.get(keys.governor.control);

import type { Redis } from 'ioredis';
import { guarded } from './unavailable.ts';

/** Unix milliseconds by the clock that deadlines follow. Rejects with `upstream_unavailable` only. */
export function serverTime(redis: Redis): Promise<number> {
  return guarded(async () => {
    const [seconds, micros] = await redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  });
}

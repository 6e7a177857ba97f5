import type { Redis } from 'ioredis';
import { guarded } from './unavailable.ts';

/**
 * Which run of Redis answers: another one may have lost what was written last, as a replica does
 * that took over (rule R6). Rejects with `upstream_unavailable` only.
 */
export function runIdOf(redis: Redis): Promise<string> {
  return guarded(async () => /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1] ?? '');
}

import type { Redis } from 'ioredis';
import type { Clock } from '../platform/clock.ts';
import { keys } from '../redis/keys.ts';

/** Unix milliseconds when so many results of a task were in, which is to say kept in Redis. */
export type Progress = {
  readonly first: number;
  readonly half: number;
  readonly most: number;
  readonly last: number;
};

type Look = { readonly at: number; readonly results: number };

const lookMs = 10;

/**
 * Watches how many results of a task Redis holds, from now until it holds them all. The last one is
 * dated by Redis itself, to a whole millisecond and rounded up; the others by the first look, every
 * 10 ms, that met them. Rejects when they are not all there after `withinMs`.
 */
export async function watchTask(
  of: { readonly redis: Redis; readonly clock: Clock; readonly now: () => number },
  task: { readonly taskId: string; readonly count: number; readonly withinMs: number },
): Promise<Progress> {
  const { redis, clock, now } = of;
  const { taskId, count } = task;
  const looks: Look[] = [];
  const until = clock.monotonic() + task.withinMs;
  while (clock.monotonic() < until) {
    const fields = ['remaining', 'finishedAt'] as const;
    const [remaining, finishedAt] = await redis.hmget(keys.task.task(taskId), ...fields);
    const results = remaining ? count - Number(remaining) : 0;
    looks.push({ at: now(), results });
    if (finishedAt) return progressOf(looks, { count, last: Number(finishedAt) + 1 });
    await clock.sleep(lookMs);
  }
  throw new Error(`${looks.at(-1)?.results} results of ${count} are in after ${task.withinMs} ms`);
}

/** When so many results were there, by looks in the order of time. Exported for its test. */
export function progressOf(
  looks: readonly Look[],
  of: { readonly count: number; readonly last: number },
): Progress {
  const at = (share: number): number => {
    const met = looks.find(({ results }) => results > 0 && results >= share * of.count);
    return Math.min(met?.at ?? of.last, of.last);
  };
  return { first: at(0), half: at(0.5), most: at(0.99), last: of.last };
}

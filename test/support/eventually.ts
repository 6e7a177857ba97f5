import { setTimeout } from 'node:timers/promises';

/**
 * Awaits a condition: tries `check` until it no longer throws, and returns what it returned.
 * After `withinMs` the last error is thrown. Not a sleep: it ends as soon as the condition holds.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  of: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + (of.withinMs ?? 10_000);
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await setTimeout(of.everyMs ?? 25);
    }
  }
}

import type { PageAnswer } from '../activities/index.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';

/**
 * Asks for a page and reads its first `limits.probePageBytes`, all within the time. Never rejects, and
 * follows no redirect.
 */
export function pageAsker(clock: Clock): (url: URL, timeoutMs: number) => Promise<PageAnswer> {
  return async (url, timeoutMs) => {
    const late = new AbortController();
    const timer = clock.after(timeoutMs, () => late.abort());
    try {
      const response = await fetch(url, { redirect: 'manual', signal: late.signal });
      return { kind: 'answered', status: response.status, text: await beginningOf(response) };
    } catch {
      // Why it was not reached would name addresses; that it was not is what a proof needs.
      return { kind: late.signal.aborted ? 'no_answer' : 'unreachable' };
    } finally {
      timer.cancel();
    }
  };
}

async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the body, so that a page without an end costs no more.
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= limits.probePageBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, limits.probePageBytes).toString('utf8');
}

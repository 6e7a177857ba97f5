import type { Posted } from '../activities/index.ts';
import { base32 } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import { sha256 } from '../platform/digest.ts';
import { signWebhook } from '../platform/standard-webhooks.ts';

const answerWithinMs = 10_000;

/** The id of a message by its repair: a receiver knows a repeat by it. It has no dot, which signatures need. */
export const messageIdOf = (remediationId: string): string =>
  `esc_${base32(sha256(remediationId)).slice(0, 26)}`;

/**
 * Posts webhooks signed by Standard Webhooks. Redirects are not followed: the host was allowed, not
 * where it points to. Never rejects.
 */
export function escalationPost(of: {
  readonly secret: string;
  readonly clock: Clock;
}): (message: {
  readonly url: URL;
  readonly id: string;
  readonly body: string;
}) => Promise<Posted> {
  return async ({ url, id, body }) => {
    const timestamp = Math.floor(of.clock.now() / 1_000);
    const late = new AbortController();
    const timer = of.clock.after(answerWithinMs, () => late.abort());
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...signWebhook({ secret: of.secret, id: messageIdOf(id), timestamp, body }),
        },
        body,
        redirect: 'manual',
        signal: late.signal,
      });
      await response.body?.cancel();
      if (response.ok) return { kind: 'taken' };
      return response.status === 410
        ? { kind: 'gone' }
        : { kind: 'failed', why: `status ${response.status}` };
    } catch {
      // The error's text may hold the address with credentials in it; its kind is enough.
      return { kind: 'failed', why: late.signal.aborted ? 'no answer in time' : 'not reachable' };
    } finally {
      timer.cancel();
    }
  };
}

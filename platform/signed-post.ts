import type { Clock } from './clock.ts';
import { signWebhook } from './standard-webhooks.ts';

/** How a receiver took a webhook. */
export type Posted =
  | { readonly kind: 'taken' }
  /** It wants to hear no more of it. */
  | { readonly kind: 'gone' }
  /** It may be tried again. */
  | { readonly kind: 'failed'; readonly why: string };

const answerWithinMs = 10_000;

/**
 * Posts one JSON body, signed by Standard Webhooks; `id` tells a receiver a repeat, and has no dot.
 * Redirects are not followed: the host was allowed, not where it points to. Waits 10 s for an answer,
 * or until `signal` is aborted. Never rejects.
 */
export async function postSigned(of: {
  readonly url: string | URL;
  readonly id: string;
  readonly body: string;
  readonly secret: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}): Promise<Posted> {
  const { url, id, body, secret, clock, signal } = of;
  const timestamp = Math.floor(clock.now() / 1_000);
  const late = new AbortController();
  const timer = clock.after(answerWithinMs, () => late.abort());
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...signWebhook({ secret, id, timestamp, body }),
      },
      body,
      redirect: 'manual',
      signal: signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]),
    });
    await response.body?.cancel();
    if (response.ok) return { kind: 'taken' };
    if (response.status === 410) return { kind: 'gone' };
    return { kind: 'failed', why: `status ${response.status}` };
  } catch {
    // The error's text may hold the address with credentials in it; its kind is enough.
    return { kind: 'failed', why: late.signal.aborted ? 'no answer in time' : 'not reachable' };
  } finally {
    timer.cancel();
  }
}

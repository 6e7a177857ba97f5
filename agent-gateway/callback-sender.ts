import type { TaskCallback } from '../contracts/task.ts';
import type { Clock } from '../platform/clock.ts';
import { signWebhook } from '../platform/standard-webhooks.ts';

/** `gone`: the initiator wants to hear no more of it. `failed` may be tried again. */
export type CallbackAnswer =
  | { readonly kind: 'delivered' | 'gone' }
  | { readonly kind: 'failed'; readonly why: string };

const answerWithinMs = 10_000;

/**
 * Posts one callback, signed by Standard Webhooks (design 5.9). The message id is the task's, so
 * that a receiver can tell a repeat. Redirects are not followed: the host was allowed, not where
 * it points to. Never rejects.
 */
export async function sendCallback(of: {
  readonly url: string;
  readonly taskId: string;
  readonly callback: TaskCallback;
  readonly secret: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<CallbackAnswer> {
  const body = JSON.stringify(of.callback);
  const timestamp = Math.floor(of.clock.now() / 1_000);
  const late = new AbortController();
  const timer = of.clock.after(answerWithinMs, () => late.abort());
  try {
    const response = await fetch(of.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...signWebhook({ secret: of.secret, id: of.taskId, timestamp, body }),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([late.signal, of.signal]),
    });
    await response.body?.cancel();
    if (response.ok) return { kind: 'delivered' };
    if (response.status === 410) return { kind: 'gone' };
    return { kind: 'failed', why: `status ${response.status}` };
  } catch {
    // The error's text may hold the address with credentials in it; its kind is enough.
    return { kind: 'failed', why: late.signal.aborted ? 'no answer in time' : 'not reachable' };
  } finally {
    timer.cancel();
  }
}

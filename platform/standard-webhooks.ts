import { createHmac, timingSafeEqual } from 'node:crypto';

/** The three headers of Standard Webhooks, and nothing else. */
export type WebhookHeaders = Readonly<Record<string, string>>;

/** Why a message is not accepted; the caller learns no more than that it is not. */
export type WebhookVerdict =
  | { readonly kind: 'valid'; readonly id: string }
  | {
      readonly kind: 'invalid';
      readonly reason: 'missing_header' | 'bad_timestamp' | 'too_old' | 'too_new' | 'no_match';
    };

/** The key in a secret: base64, with or without `whsec_`; null if it is none or empty. */
function keyOf(secret: string): Buffer | null {
  const text = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const key = Buffer.from(text, 'base64');
  return key.length === 0 ? null : key;
}

function signatureOf(of: {
  readonly key: Buffer;
  readonly id: string;
  readonly timestamp: string;
  readonly body: Buffer | string;
}): Buffer {
  return createHmac('sha256', of.key).update(`${of.id}.${of.timestamp}.`).update(of.body).digest();
}

/**
 * Headers that sign `body` (design 5.9). `timestamp` is in Unix seconds; `id` stays the same when
 * the message is sent again. Throws if the secret is no base64.
 */
export function signWebhook(of: {
  readonly secret: string;
  readonly id: string;
  readonly timestamp: number;
  readonly body: Buffer | string;
}): WebhookHeaders {
  const key = keyOf(of.secret);
  if (key === null) throw new TypeError('a callback secret must be base64, with or without whsec_');
  const timestamp = String(of.timestamp);
  const signature = signatureOf({ key, id: of.id, timestamp, body: of.body });
  return {
    'webhook-id': of.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature.toString('base64')}`,
  };
}

/**
 * Checks the raw bytes of a message. Several secrets and several signatures are tried, as during
 * a rotation. `now` is in Unix milliseconds. Never throws. A timestamp must be decimal digits
 * only: the official library takes `1700000000abc`, and so can be made to disagree with others.
 */
export function verifyWebhook(of: {
  readonly secrets: readonly string[];
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly rawBody: Buffer;
  readonly now: number;
  readonly toleranceMs?: number;
}): WebhookVerdict {
  const id = of.headers['webhook-id'];
  const timestamp = of.headers['webhook-timestamp'];
  const signatures = of.headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
    return { kind: 'invalid', reason: 'missing_header' };
  }
  if (!/^\d{1,12}$/.test(timestamp)) return { kind: 'invalid', reason: 'bad_timestamp' };
  const toleranceMs = of.toleranceMs ?? 300_000;
  const ageMs = of.now - Number(timestamp) * 1_000;
  if (ageMs > toleranceMs) return { kind: 'invalid', reason: 'too_old' };
  if (-ageMs > toleranceMs) return { kind: 'invalid', reason: 'too_new' };
  const given = signatures
    .split(' ')
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice(3), 'base64'));
  const expected = of.secrets.flatMap((secret) => {
    const key = keyOf(secret);
    return key === null ? [] : [signatureOf({ key, id, timestamp, body: of.rawBody })];
  });
  const matches = expected.some((right) =>
    given.some((left) => left.length === right.length && timingSafeEqual(left, right)),
  );
  return matches ? { kind: 'valid', id } : { kind: 'invalid', reason: 'no_match' };
}

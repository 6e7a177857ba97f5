/** A SHA-256 of UTF-8 text. Given by the caller: workflows have no hashing, and ids need it only at the edges. */
export type Sha256 = (text: string) => Uint8Array;

const base32Alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const crockfordAlphabet = '0123456789abcdefghjkmnpqrstvwxyz';

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet.charAt((value >> bits) & 31);
    }
  }
  return bits > 0 ? text + alphabet.charAt((value << (5 - bits)) & 31) : text;
}

/** RFC 4648 base32, lower case, unpadded. */
export const base32 = (bytes: Uint8Array): string => encode(bytes, base32Alphabet);
/** Crockford's base32, lower case: no i, l, o, u, so that a person can read it out. */
export const crockford = (bytes: Uint8Array): string => encode(bytes, crockfordAlphabet);

/** An agent's id from at least 8 random bytes. */
export const agentIdFrom = (random: Uint8Array): string => crockford(random).slice(0, 12);
/** A journal's id from at least 17 random bytes. */
export const journalIdFrom = (random: Uint8Array): string => crockford(random).slice(0, 26);

/** Derived, never minted (design 5.5): the same key meets the same task after any loss. */
export const taskIdOf = (key: string, sha256: Sha256): string =>
  `t${base32(sha256(key)).slice(0, 25)}`;
export const jobIdOf = (task: string, agent: string): string => `${task}.${agent}`;

/** Parts of a job id, or null if it is none. */
export function partsOfJobId(job: string): { taskId: string; agentId: string } | null {
  const dot = job.indexOf('.');
  return dot < 1 ? null : { taskId: job.slice(0, dot), agentId: job.slice(dot + 1) };
}

/** Built by the workflow alone (design 5.5). */
export const idempotencyKeyOf = (of: {
  readonly remediationId: string;
  readonly step: string;
  readonly batch: number;
  readonly attempt: number;
}): string => `${of.remediationId}/${of.step}/${of.batch}/${of.attempt}`;

/** 26 characters over the source and the sender's own key of webhooks.md 5. */
export const deliveryIdOf = (source: string, senderKey: string, sha256: Sha256): string =>
  base32(sha256(`${source}\n${senderKey}`)).slice(0, 26);

/**
 * A readable, safe name for a group: a slug of the values (≤ 60) and 8 hex digits of the whole,
 * so that two groups whose slugs agree stay apart.
 */
export function groupIdOf(labels: readonly (readonly [string, string])[], sha256: Sha256): string {
  const whole = JSON.stringify(labels);
  const slug = labels
    .map(([, value]) => value)
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  const digest = Array.from(sha256(whole).subarray(0, 4), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
  return `${slug || 'all'}~${digest}`;
}

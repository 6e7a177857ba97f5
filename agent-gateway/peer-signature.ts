import { createHmac } from 'node:crypto';
import { limits } from '../contracts/limits.ts';
import { sameSecret } from '../platform/digest.ts';

/** What one gateway asks of another one, as each of the two sees it. */
export type PeerRequest = {
  readonly method: string;
  /** Scheme, host and port: where the one sends it, and where the other says that it is. */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  /** The id of the gateway that asks. */
  readonly from: string;
};

const scheme = 'Fixpoint-Gateway';
const form = new RegExp(`^${scheme} (\\d{1,15})\\.([A-Za-z0-9_-]{43})$`);

/**
 * The `Authorization` by which a gateway shows another one that it has the same token, without
 * sending it: addresses of gateways come from Redis, and who writes there must gain nothing by it. It
 * is good for this request, at this address, and for `limits.peerRequestMs` either way. Repeated
 * within that time it tells no more than it told at first, because it only reads.
 */
export const peerAuthorization = (
  request: PeerRequest,
  by: { readonly token: string; readonly now: number },
): string => `${scheme} ${by.now}.${codeOf(request, by)}`;

export const isPeerAuthorization = (authorization: string | undefined): boolean =>
  authorization?.startsWith(`${scheme} `) === true;

/** Whether a gateway that has one of the tokens has asked this, here and lately. */
export function isSignedByPeer(
  authorization: string,
  request: PeerRequest,
  by: { readonly tokens: readonly string[]; readonly now: number },
): boolean {
  const [, time = '', code = ''] = form.exec(authorization) ?? [];
  const signedAt = Number(time);
  if (code === '' || Math.abs(by.now - signedAt) > limits.peerRequestMs) return false;
  // Compared with each, so that the time does not tell which one is near.
  return by.tokens
    .map((token) => sameSecret(codeOf(request, { token, now: signedAt }), code))
    .includes(true);
}

function codeOf(
  { method, origin, path, from }: PeerRequest,
  { token, now }: { readonly token: string; readonly now: number },
): string {
  // A key of its own, so that nothing else which is ever made of the token can pass for this.
  const key = createHmac('sha256', token).update('fixpoint: from gateway to gateway').digest();
  const text = JSON.stringify([method, origin, path, from, now]);
  return createHmac('sha256', key).update(text).digest('base64url');
}

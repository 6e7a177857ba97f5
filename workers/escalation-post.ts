import { base32 } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import { sha256 } from '../platform/digest.ts';
import { type Posted, postSigned } from '../platform/signed-post.ts';

/** The id of a message by its repair: a receiver knows a repeat by it. It has no dot, which signatures need. */
export const messageIdOf = (remediationId: string): string =>
  `esc_${base32(sha256(remediationId)).slice(0, 26)}`;

/** Posts escalations, signed by Standard Webhooks. Never rejects. */
export const escalationPost =
  (of: { readonly secret: string; readonly clock: Clock }) =>
  ({
    url,
    id,
    body,
  }: {
    readonly url: URL;
    readonly id: string;
    readonly body: string;
  }): Promise<Posted> =>
    postSigned({ ...of, url, body, id: messageIdOf(id) });

import { sameSecret } from '../platform/digest.ts';

/** Whether the header holds one of the tokens. */
export function isKnownToken(
  authorization: string | undefined,
  tokens: readonly string[],
): boolean {
  const given = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) return false;
  // Compared with each, so that the time does not tell which one is near.
  return tokens.map((token) => sameSecret(token, given)).includes(true);
}

import { FixpointError } from '../domain/errors.ts';
import { sameSecret } from '../platform/digest.ts';

/** Secrets of a setting: several, separated by commas, while one is replaced. */
export const secretsOf = (setting: string | undefined): readonly string[] =>
  (setting ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/**
 * Throws `unauthenticated` unless the bearer token is one of `secrets`; with none, nobody gets in.
 * All are compared, in constant time, so that an answer's time tells nothing.
 */
export function requireBearer(header: string | undefined, secrets: readonly string[]): void {
  const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  const matches = secrets.map((secret) => token !== undefined && sameSecret(token, secret));
  if (matches.includes(true)) return;
  throw new FixpointError('unauthenticated', 'the bearer token is missing or wrong', {
    hint: 'send the header Authorization: Bearer <token>',
  });
}

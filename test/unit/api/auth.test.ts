import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requireBearer, secretsOf } from '../../../api/auth.ts';
import { FixpointError } from '../../../domain/errors.ts';

const isRefused = (header: string | undefined, secrets: readonly string[]): void =>
  assert.throws(
    () => requireBearer(header, secrets),
    (error) => error instanceof FixpointError && error.code === 'unauthenticated',
  );

describe('bearer tokens', () => {
  it('old and new secret both pass during a rotation, the old one not after it', () => {
    const both = secretsOf('old-secret-of-16, new-secret-of-16');
    requireBearer('Bearer old-secret-of-16', both);
    requireBearer('bearer new-secret-of-16', both);
    isRefused('Bearer old-secret-of-16', secretsOf('new-secret-of-16'));
  });

  it('a missing, malformed or wrong token is refused, and with no secret everyone is', () => {
    for (const header of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Basic s',
      'Bearer s t',
      'Bearer x',
    ]) {
      isRefused(header, ['s']);
    }
    isRefused('Bearer ', secretsOf(undefined));
    isRefused('Bearer undefined', secretsOf(undefined));
    isRefused('Bearer ', secretsOf(','));
  });
});

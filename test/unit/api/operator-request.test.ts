import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FastifyRequest } from 'fastify';
import { requestKeyOf, updateIdOf } from '../../../api/operator-request.ts';
import { systemClock } from '../../../platform/clock.ts';

const requestWith = (key: string | undefined) =>
  ({ headers: { 'idempotency-key': key } }) as unknown as FastifyRequest; // Only that header is read.
const keyOf = (key: string | undefined) => requestKeyOf(requestWith(key), systemClock);

describe('what an operator’s request is called', () => {
  it('is what its sender says, or without a word a name that no other request has', () => {
    assert.equal(keyOf('run-book-17'), 'run-book-17');
    assert.notEqual(keyOf(undefined), keyOf(undefined));
    for (const key of ['', 'short', 'with a space', 'x'.repeat(501), 'naïve-key']) {
      assert.throws(() => keyOf(key), { code: 'invalid_payload' });
    }
  });

  it('under one key the same wish is the same update and another wish another one', () => {
    const wish = { by: 'anna', reason: 'storm' };
    const of = { name: 'stop', wish, key: 'a-key-of-mine' };

    assert.equal(updateIdOf(of), updateIdOf({ ...of, wish: { reason: 'storm', by: 'anna' } }));
    const others = [
      of,
      { ...of, name: 'allow' },
      { ...of, key: 'another-key' },
      { ...of, wish: { ...wish, reason: 'fire' } },
    ].map(updateIdOf);
    assert.equal(new Set(others).size, others.length);
    assert.match(updateIdOf(of), /^stop\/[a-z2-7]{26}$/);
  });
});

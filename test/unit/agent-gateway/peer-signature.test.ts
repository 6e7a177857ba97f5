import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isPeerAuthorization,
  isSignedByPeer,
  type PeerRequest,
  peerAuthorization,
} from '../../../agent-gateway/peer-signature.ts';
import { limits } from '../../../contracts/limits.ts';

const token = 'a-token-of-the-tests-only';
const now = 1_800_000_000_000;
const request: PeerRequest = {
  method: 'GET',
  origin: 'http://gateway-2:8452',
  path: '/v1/tasks/t1/jobs/a1/output?stream=stdout&offset=5&limit=7',
  from: 'gateway-1',
};
const signed = peerAuthorization(request, { token, now });
const taken = (over: Partial<PeerRequest> = {}, at = now, tokens: readonly string[] = [token]) =>
  isSignedByPeer(signed, { ...request, ...over }, { tokens, now: at });

describe('the signature of a gateway that asks another one', () => {
  it('is taken by who has the token, also as the older of two and as long as it is fresh', () => {
    assert.ok(isPeerAuthorization(signed));
    assert.ok(taken());
    assert.ok(taken({}, now, ['the-token-of-tomorrow', token]));
    assert.ok(taken({}, now + limits.peerRequestMs));
    assert.ok(taken({}, now - limits.peerRequestMs));
  });

  it('does not hold the token, and is no bearer token', () => {
    assert.equal(signed.includes(token), false);
    assert.equal(isPeerAuthorization(`Bearer ${token}`), false);
    assert.equal(isPeerAuthorization(undefined), false);
  });

  it('is of no use at another address, for another question, from another gateway or later', () => {
    assert.equal(taken({ origin: 'http://gateway-3:8452' }), false);
    assert.equal(taken({ origin: 'https://gateway-2:8452' }), false);
    assert.equal(taken({ method: 'POST' }), false);
    assert.equal(taken({ path: request.path.replace('offset=5', 'offset=6') }), false);
    assert.equal(taken({ path: '/v1/agents' }), false);
    assert.equal(taken({ from: 'gateway-4' }), false);
    assert.equal(taken({}, now + limits.peerRequestMs + 1), false);
    assert.equal(taken({}, now - limits.peerRequestMs - 1), false);
  });

  it('is taken by nobody who has another token or none', () => {
    assert.equal(taken({}, now, ['the-token-of-tomorrow']), false);
    assert.equal(taken({}, now, []), false);
  });

  it('is refused when a byte of it is another one', () => {
    for (let at = 'Fixpoint-Gateway '.length; at < signed.length; at += 1) {
      const changed = `${signed.slice(0, at)}${signed[at] === '1' ? '2' : '1'}${signed.slice(at + 1)}`;
      assert.equal(isSignedByPeer(changed, request, { tokens: [token], now }), false, changed);
    }
    for (const text of [
      '',
      'Fixpoint-Gateway',
      'Fixpoint-Gateway 1.',
      `${signed}a`,
      ` ${signed}`,
    ]) {
      assert.equal(isSignedByPeer(text, request, { tokens: [token], now }), false, text);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signWebhook, verifyWebhook } from '../../../platform/standard-webhooks.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const other = `whsec_${Buffer.from('another secret').toString('base64')}`;
const now = 1_614_265_330_000;
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const body = '{"test": 2432232314}';
const signed = () => signWebhook({ secret, id, timestamp: now / 1_000, body });
const verify = (of: Partial<Parameters<typeof verifyWebhook>[0]> = {}) =>
  verifyWebhook({ secrets: [secret], headers: signed(), rawBody: Buffer.from(body), now, ...of });

describe('Standard Webhooks', () => {
  it('the specification’s own example has the specification’s signature', () => {
    assert.equal(signed()['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
    assert.deepEqual(verify(), { kind: 'valid', id });
  });

  it('any of several secrets and signatures will do, as during a rotation', () => {
    const two = `v1a,none v1,${Buffer.alloc(32).toString('base64')} ${signed()['webhook-signature']}`;

    assert.equal(verify({ secrets: [other, secret] }).kind, 'valid');
    assert.equal(verify({ headers: { ...signed(), 'webhook-signature': two } }).kind, 'valid');
  });

  it('a changed body, id, timestamp or secret does not match', () => {
    const changed = [
      verify({ rawBody: Buffer.from(`${body} `) }),
      verify({ headers: { ...signed(), 'webhook-id': 'msg_other' } }),
      verify({ headers: { ...signed(), 'webhook-timestamp': String(now / 1_000 + 1) } }),
      verify({ secrets: [other] }),
      verify({ secrets: [] }),
      verify({ secrets: ['whsec_', 'not base64!'] }),
    ];

    for (const verdict of changed)
      assert.deepEqual(verdict, { kind: 'invalid', reason: 'no_match' });
  });

  it('a timestamp that is too old, too new or no plain number is refused', () => {
    const at = (timestamp: string) =>
      verify({ headers: { ...signed(), 'webhook-timestamp': timestamp } });

    assert.deepEqual(verify({ now: now + 300_001 }), { kind: 'invalid', reason: 'too_old' });
    assert.deepEqual(verify({ now: now - 300_001 }), { kind: 'invalid', reason: 'too_new' });
    for (const text of ['1614265330abc', '', ' 1614265330', '1.6e9', '-1', '0x10']) {
      assert.deepEqual(at(text), { kind: 'invalid', reason: 'bad_timestamp' });
    }
  });

  it('a message without its headers is refused', () => {
    assert.deepEqual(verify({ headers: {} }), { kind: 'invalid', reason: 'missing_header' });
  });
});

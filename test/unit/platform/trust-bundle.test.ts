import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustEnvelope } from '../../../contracts/trust.ts';
import { Trust } from '../../../platform/trust-bundle.ts';
import { aSigningKey, aTrust } from '../../support/signing.ts';

const [k1, k2, stranger] = [aSigningKey(), aSigningKey(), aSigningKey()];
const trustOf = async (envelope: Promise<TrustEnvelope>) =>
  Trust.read(JSON.stringify(await envelope));
const verdict = async (trust: Trust, next: Promise<TrustEnvelope>) => {
  const after = trust.follow(await next);
  return after.kind === 'refused' ? after.why : after.kind;
};

describe('a trust bundle', () => {
  it('is followed by a newer one that a key of it signed, and so from key to key', async () => {
    const first = await trustOf(aTrust({ serial: 1, keys: [k1] }));

    const both = first.follow(await aTrust({ serial: 2, keys: [k1, k2], by: [k1] }));
    assert.ok(both.kind === 'taken');
    const last = both.trust.follow(await aTrust({ serial: 3, keys: [k2], by: [k2] }));
    assert.ok(last.kind === 'taken');

    assert.deepEqual(
      last.trust.bundle.signingKeys.map(({ keyId }) => keyId),
      [k2.keyId],
    );
  });

  it('is not followed by one of an unknown key, an older one, or another of its own serial', async () => {
    const trust = await trustOf(aTrust({ serial: 5, keys: [k1] }));

    assert.equal(await verdict(trust, aTrust({ serial: 6, keys: [k2], by: [k2] })), 'unknown_key');
    assert.equal(await verdict(trust, aTrust({ serial: 4, keys: [k1] })), 'older');
    assert.equal(await verdict(trust, aTrust({ serial: 5, keys: [k1, k2], by: [k1] })), 'older');
    assert.equal(await verdict(trust, Promise.resolve(trust.envelope)), 'same');
  });

  it('is not followed by one that was changed, or signed under a name that is trusted', async () => {
    const trust = await trustOf(aTrust({ serial: 1, keys: [k1] }));
    const honest = await aTrust({ serial: 2, keys: [k1] });
    const other = await aTrust({ serial: 2, keys: [k1, stranger], by: [stranger] });
    const signatures = other.signatures.map((each) => ({ ...each, keyid: k1.keyId }));
    const bytes = Buffer.from(honest.payload, 'base64');

    assert.equal(await verdict(trust, Promise.resolve({ ...other, signatures })), 'forged');
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      const payload = changed.toString('base64');
      assert.equal(await verdict(trust, Promise.resolve({ ...honest, payload })), 'forged');
    }
  });

  it('that was dropped is not brought back by its own key', async () => {
    const first = await trustOf(aTrust({ serial: 1, keys: [k1] }));
    const after = first.follow(await aTrust({ serial: 2, keys: [k2], by: [k1, k2] }));
    assert.ok(after.kind === 'taken');

    assert.equal(
      await verdict(after.trust, aTrust({ serial: 9, keys: [k1], by: [k1] })),
      'unknown_key',
    );
  });

  it('may be the first one if a key of the root sealed it, also one that it holds no more', async () => {
    const { root } = await trustOf(aTrust({ serial: 3, keys: [k1] }));
    const first = async (next: Promise<TrustEnvelope>) => {
      const after = Trust.first(await next, root);
      return after.kind === 'refused' ? after.why : after.trust.bundle.serial;
    };
    const named = { ...stranger, keyId: k1.keyId };

    assert.equal(await first(aTrust({ serial: 3, keys: [k1] })), 3);
    assert.equal(await first(aTrust({ serial: 9, keys: [k2], by: [k1, k2] })), 9);
    assert.equal(await first(aTrust({ serial: 2, keys: [k1] })), 'older');
    assert.equal(await first(aTrust({ serial: 9, keys: [k1, k2], by: [k2] })), 'unknown_key');
    assert.equal(await first(aTrust({ serial: 9, keys: [named] })), 'forged');
    assert.deepEqual((await trustOf(aTrust({ serial: 4, keys: [k1, k2] }))).root.keys.length, 2);
  });

  it('is none with two keys of one name, without keys, or with a key that is no Ed25519 key', async () => {
    const envelope = await aTrust({ keys: [k1] });
    const around = (bundle: unknown) =>
      JSON.stringify({
        ...envelope,
        payload: Buffer.from(JSON.stringify(bundle)).toString('base64'),
      });
    const { bundle } = Trust.read(JSON.stringify(envelope));
    const [key] = bundle.signingKeys;

    for (const signingKeys of [[], [key, key], [{ keyId: 'k', publicKey: 'none' }]]) {
      assert.throws(() => Trust.read(around({ ...bundle, signingKeys })), /no trust bundle/);
    }
    assert.throws(() => Trust.read('{}'), /no trust bundle/);
  });
});

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { TrustStore } from '../../../agent/trust-store.ts';
import { type Log, silentLog } from '../../../platform/log.ts';
import { aSigningKey, aTrust, signedBy, testKey } from '../../support/signing.ts';

describe('the trust of an agent', () => {
  let folder: string;
  let lines: string[];
  const log: Log = {
    ...silentLog,
    info: (_fields: object, message: string) => void lines.push(message),
    warn: (fields: object, message: string) =>
      void lines.push(`${message}: ${'why' in fields ? fields.why : ''}`),
    error: (_fields: object, message: string) => void lines.push(message),
  };
  const open = () => TrustStore.open(join(folder, 'trust.json'), log);
  const trusts = (store: TrustStore, key: typeof testKey) => {
    const text = JSON.stringify({ keyId: key.keyId });
    return store.distrust({ text, keyId: key.keyId, signature: signedBy(key, text) }) === null;
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-trust-'));
    lines = [];
    writeFileSync(
      join(folder, 'trust.json'),
      JSON.stringify(await aTrust({ authorities: ['old'] })),
    );
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('moves on with a bundle that it may take, keys and authorities alike, and keeps it', async () => {
    const store = open();
    const next = aSigningKey();

    store.take(await aTrust({ serial: 2, keys: [next], by: [testKey], authorities: ['new'] }));

    for (const each of [store, open()]) {
      assert.deepEqual([trusts(each, testKey), trusts(each, next)], [false, true]);
      assert.deepEqual(each.authorities, ['new']);
    }
    assert.deepEqual(lines, ['a newer trust bundle was taken']);
    assert.deepEqual(readdirSync(folder), ['trust.json']);
  });

  it('refuses any other, says why in the log, and stays as it is', async () => {
    const store = open();
    const stranger = aSigningKey();

    store.take(await aTrust({ serial: 2, keys: [stranger], by: [stranger] }));
    store.take(await aTrust({ serial: 1, keys: [testKey, stranger], by: [testKey] }));
    store.take(await aTrust({ authorities: ['old'] }));

    assert.deepEqual([trusts(store, testKey), trusts(store, stranger)], [true, false]);
    assert.deepEqual(lines, [
      'a trust bundle was refused: unknown_key',
      'a trust bundle was refused: older',
    ]);
  });

  it('stays as it is when a bundle cannot be kept', async () => {
    const store = open();
    // In the place of the file that is written first.
    mkdirSync(join(folder, 'trust.json.new'));

    store.take(await aTrust({ serial: 2, keys: [aSigningKey()], by: [testKey] }));

    assert.equal(trusts(store, testKey), true);
    assert.match(lines[0] ?? '', /cannot be written/);
  });

  it('is refused when its file is damaged, with what to do', () => {
    writeFileSync(join(folder, 'trust.json'), '{"payload":');

    assert.throws(open, /trust\.json is no trust bundle; copy the one of/);
  });
});

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { newSigningKey, signingKeysIn } from '../../../platform/signing-key.ts';
import { Trust } from '../../../platform/trust-bundle.ts';
import { runInProcess } from '../../support/cli-run.ts';
import { aTrust } from '../../support/signing.ts';

describe('fixpoint setup rotate signing', () => {
  let state: string;
  let agent: Trust;
  const keyFile = () => join(state, 'secrets', 'signing-key');
  const trustFile = () => join(state, 'secrets', 'ca', 'trust.json');
  const trust = () => Trust.read(readFileSync(trustFile(), 'utf8'));
  const keyIds = () => signingKeysIn(readFileSync(keyFile(), 'utf8')).map(({ keyId }) => keyId);
  const trusted = () => trust().bundle.signingKeys.map(({ keyId }) => keyId);

  beforeEach(async () => {
    state = mkdtempSync(join(tmpdir(), 'fixpoint-setup-'));
    mkdirSync(join(state, 'secrets', 'ca'), { recursive: true });
    const pem = newSigningKey();
    writeFileSync(keyFile(), pem);
    writeFileSync(
      trustFile(),
      JSON.stringify(await aTrust({ keys: signingKeysIn(pem), authorities: ['an authority'] })),
    );
    agent = trust();
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const rotate = (phase: string) =>
    runInProcess(['setup', 'rotate', 'signing', '--phase', phase], {
      environment: { FIXPOINT_STATE_DIR: state },
    });

  it('goes from the old key over both to the new one, and agents follow each step', async () => {
    const [old] = keyIds();

    assert.equal((await rotate('publish')).status, 0);
    const [first, fresh] = keyIds();
    assert.equal(first, old);
    assert.deepEqual(trusted(), [old, fresh]);
    const both = agent.follow(trust().envelope);
    assert.ok(both.kind === 'taken');

    assert.equal((await rotate('use')).status, 0);
    assert.deepEqual(keyIds(), [fresh, old]);
    assert.equal(both.trust.follow(trust().envelope).kind, 'same');

    const { status, out } = await rotate('drop');
    assert.equal(status, 0);
    assert.match(out, new RegExp(`trust bundle 3 trusts ${fresh}; ${fresh} signs`));
    assert.deepEqual([keyIds(), trusted()], [[fresh], [fresh]]);
    assert.equal(both.trust.follow(trust().envelope).kind, 'taken');
    assert.deepEqual(trust().bundle.authorities, ['an authority']);
    assert.equal(statSync(keyFile()).mode & 0o777, 0o600);
  });

  it('is followed by an agent that was away from beginning to end', async () => {
    for (const phase of ['publish', 'use', 'drop']) await rotate(phase);

    assert.equal(agent.follow(trust().envelope).kind, 'taken');
  });

  it('takes a phase once, however often it is asked for', async () => {
    for (const phase of ['publish', 'use', 'drop']) {
      await rotate(phase);
      const [keys, bundle] = [keyIds(), readFileSync(trustFile(), 'utf8')];
      await rotate(phase);
      assert.deepEqual([keyIds(), readFileSync(trustFile(), 'utf8')], [keys, bundle]);
    }
  });

  it('goes on where it died: with the new key written and its bundle not', async () => {
    const before = readFileSync(trustFile(), 'utf8');
    await rotate('publish');
    const keys = keyIds();
    writeFileSync(trustFile(), before);

    await rotate('publish');

    assert.deepEqual([keyIds(), trusted()], [keys, keys]);
  });

  it('loses no absent agent by dying in a drop: before the old key is gone, and after', async () => {
    await rotate('publish');
    await rotate('use');
    const both = readFileSync(trustFile(), 'utf8');
    const [fresh = ''] = signingKeysIn(readFileSync(keyFile(), 'utf8')).map((key) =>
      key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    );

    mkdirSync(`${keyFile()}.new`); // In the way of the key file, so that it dies there.
    assert.notEqual((await rotate('drop')).status, 0);
    assert.deepEqual([keyIds().length, readFileSync(trustFile(), 'utf8')], [2, both]);
    rmSync(`${keyFile()}.new`, { recursive: true });
    const sealed = readFileSync(`${trustFile()}.next`, 'utf8');
    assert.equal((await rotate('drop')).status, 0);
    assert.equal(agent.follow(trust().envelope).kind, 'taken');

    writeFileSync(trustFile(), both);
    writeFileSync(`${trustFile()}.next`, sealed);
    writeFileSync(keyFile(), fresh); // All but the last step is done.
    assert.equal((await rotate('drop')).status, 0);
    assert.deepEqual(trusted(), keyIds());
    assert.equal(agent.follow(trust().envelope).kind, 'taken');
    assert.equal(existsSync(`${trustFile()}.next`), false);
  });

  it('takes no bundle from an earlier drop for the next one', async () => {
    for (const phase of ['publish', 'use', 'drop']) await rotate(phase);
    const earlier = readFileSync(trustFile(), 'utf8');
    for (const phase of ['publish', 'use']) await rotate(phase);
    writeFileSync(`${trustFile()}.next`, earlier);

    assert.equal((await rotate('drop')).status, 0);

    assert.deepEqual(trusted(), keyIds());
    assert.equal(agent.follow(trust().envelope).kind, 'refused', 'it missed a whole round');
  });

  it('refuses a phase whose turn it is not, says which is next, and changes nothing', async () => {
    const files = () => [readFileSync(keyFile(), 'utf8'), readFileSync(trustFile(), 'utf8')];
    const refused = async (phase: string, hint: RegExp) => {
      const before = files();
      const { status, err } = await rotate(phase);
      assert.equal(status, 2);
      assert.match(err, hint);
      assert.deepEqual(files(), before);
    };

    await refused('use', /--phase publish/);
    await rotate('publish');
    await refused('drop', /--phase use/);
    await rotate('use');
    await refused('publish', /--phase drop/);
  });

  it('says which file is missing', async () => {
    rmSync(trustFile());

    const { status, err } = await rotate('publish');

    assert.equal(status, 6);
    assert.match(err, /trust\.json is not there/);
  });
});

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { agentIdOfCertificate } from '../../../agent-gateway/certificates.ts';
import { systemClock } from '../../../platform/clock.ts';
import { signingKeysIn } from '../../../platform/signing-key.ts';
import { Trust } from '../../../platform/trust-bundle.ts';
import { provideIdentities } from '../../../tools/start/identities.ts';
import { type Layout, layoutAt } from '../../../tools/start/layout.ts';
import { provideSecrets } from '../../../tools/start/secrets.ts';
import { provideTrust } from '../../../tools/start/trust.ts';

describe('identities and secrets of npm start', () => {
  let state: string;
  let layout: Layout;

  before(async () => {
    state = await mkdtemp(join(tmpdir(), 'fixpoint-identities-'));
    layout = layoutAt(state);
  });
  after(() => rm(state, { recursive: true, force: true }));

  it('three agents get a certificate each, with the id and labels of the register', async () => {
    const records = await provideIdentities({ clock: systemClock, layout });

    assert.deepEqual(
      records.map(({ name, labels }) => [name, labels['hostname'], labels['zone']]),
      [
        ['agent-1', 'agent-1', 'a'],
        ['agent-2', 'agent-2', 'b'],
        ['agent-3', 'agent-3', 'c'],
      ],
    );
    for (const { agentId, journalId } of records) {
      const file = (name: string) => join(layout.agent(agentId), name);
      const certificate = new X509Certificate(readFileSync(file('identity.crt')));
      assert.equal(agentIdOfCertificate(certificate), agentId);
      assert.equal(readFileSync(file('journal-id'), 'utf8'), journalId);
      assert.equal(statSync(file('identity.key')).mode & 0o777, 0o600);
    }
  });

  it('a second start finds the same ones', async () => {
    const before = await provideIdentities({ clock: systemClock, layout });

    assert.deepEqual(await provideIdentities({ clock: systemClock, layout }), before);
  });

  it('certificates that run out soon are replaced, with new agent ids', async () => {
    const before = await provideIdentities({ clock: systemClock, layout });
    const inAYear = { ...systemClock, now: () => systemClock.now() + 390 * 86_400_000 };

    const after = await provideIdentities({ clock: inAYear, layout });

    const ids = new Set([...before, ...after].map(({ agentId }) => agentId));
    assert.equal(ids.size, 6);
  });

  it('a journal that was removed is an error, not an empty journal under the old id', async () => {
    const [first] = await provideIdentities({ clock: systemClock, layout });
    await rm(layout.agent(first?.agentId ?? ''), { recursive: true });

    await assert.rejects(provideIdentities({ clock: systemClock, layout }), /are not whole/);
  });

  describe('the trust of local agents', () => {
    const provided = async () => {
      const { signingKeyFile } = provideSecrets(layout.secrets);
      const records = await provideIdentities({ clock: systemClock, layout });
      const agentIds = records.map(({ agentId }) => agentId);
      await provideTrust({ layout, signingKeyFile, agentIds });
      return agentIds.map((agentId) => join(layout.agent(agentId), 'trust.json'));
    };
    const trustFile = () => join(layout.certificates, 'trust.json');
    // The test before this one left them broken.
    before(() => rm(layout.certificates, { recursive: true, force: true }));

    it('is the signing key and the authority, in every agent’s folder, made once', async () => {
      const files = await provided();

      const text = readFileSync(trustFile(), 'utf8');
      const { serial, signingKeys, authorities } = Trust.read(text).bundle;
      const keyFile = join(layout.secrets, 'signing-key');
      const [key] = signingKeysIn(readFileSync(keyFile, 'utf8'));
      assert.deepEqual([serial, signingKeys.map(({ keyId }) => keyId)], [1, [key.keyId]]);
      assert.deepEqual(authorities, [readFileSync(join(layout.certificates, 'ca.crt'), 'utf8')]);
      for (const file of files) assert.equal(readFileSync(file, 'utf8'), text);
      assert.equal(statSync(keyFile).mode & 0o777, 0o600);
      assert.deepEqual(await provided(), files);
      assert.equal(readFileSync(trustFile(), 'utf8'), text);
    });

    it('is given to agents of a start that knew no signatures', async () => {
      for (const file of await provided()) rmSync(file);
      rmSync(trustFile());

      for (const file of await provided()) assert.ok(existsSync(file));
    });

    it('is an error when it is not that of the signing key, or is gone although agents have it', async () => {
      await provided();
      const bundle = readFileSync(trustFile());
      rmSync(trustFile());
      await assert.rejects(provided(), /trust\.json is missing/);
      writeFileSync(trustFile(), bundle);
      rmSync(join(layout.secrets, 'signing-key'));
      await assert.rejects(provided(), /does not trust the key/);
    });
  });

  it('secrets are made once and are for their owner only', () => {
    const secrets = provideSecrets(layout.secrets);

    assert.deepEqual(provideSecrets(layout.secrets), secrets);
    assert.match(readFileSync(secrets.callbackSecretFile, 'utf8'), /^whsec_/);
    for (const file of [secrets.operatorTokenFile, secrets.webhookSecretFile]) {
      assert.equal(statSync(file).mode & 0o777, 0o600);
    }
  });
});

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { writeIdentity } from '../../../agent/identity-files.ts';
import { issueCertificate } from '../../../agent-gateway/certificates.ts';
import { IssueRegister } from '../../../agent-gateway/issue-register.ts';
import { type Clock, systemClock } from '../../../platform/clock.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { signingKeysIn } from '../../../platform/signing-key.ts';
import { Trust } from '../../../platform/trust-bundle.ts';
import {
  linkFoldersById,
  localAgentNames,
  provideIdentities,
} from '../../../tools/start/identities.ts';
import { type Layout, layoutAt } from '../../../tools/start/layout.ts';
import { provideSecrets } from '../../../tools/start/secrets.ts';
import { provideTrust } from '../../../tools/start/trust.ts';
import { aTrust } from '../../support/signing.ts';

const agentId = '0123456789ab';
const folders: string[] = [];

describe('identities and secrets of npm start', () => {
  let layout: Layout;
  let said: string[];
  beforeEach(async () => {
    const state = await mkdtemp(join(tmpdir(), 'fixpoint-identities-'));
    folders.push(state);
    layout = layoutAt(state);
    said = [];
  });
  after(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  const agentNames = localAgentNames(3);
  const provide = (clock: Clock = systemClock) =>
    provideIdentities({ clock, layout, agentNames, say: (line) => said.push(line) });
  const file = (name: string) => join(layout.certificates, name);

  /** What the enrolment of agent-1 leaves. */
  async function enrolFirst(): Promise<void> {
    const read = (name: string) => readFileSync(file(name), 'utf8');
    const authority = { certificate: read('ca.crt'), key: read('ca.key') };
    const subject = { kind: 'agent', agentId, labels: {} } as const;
    const issued = await issueCertificate({ authority, subject, clock: systemClock });
    const journalId = '0'.repeat(26);
    const { serial, notAfter, key, certificate } = issued;
    const register = new IssueRegister({ file: file('issued.jsonl'), clock: systemClock });
    const record = { agentId, name: 'agent-1', labels: {}, journalId, serial, notAfter };
    await register.append(async () => [{ ...record, issuedAt: systemClock.now() }]);
    mkdirSync(join(layout.agent('agent-1'), 'journal'));
    const identity = {
      ...{ key, certificate, journalId, authority: authority.certificate },
      ...{ gateways: ['wss://127.0.0.1:1'], trust: JSON.stringify(await aTrust()) },
    };
    writeIdentity(layout.agent('agent-1'), identity, noCrashPoints);
  }
  const enrolled = async (clock?: Clock) =>
    (await provide(clock)).map(({ isEnrolled }) => isEnrolled);

  it('at first there is an authority and a gateway, and three agents are to be enrolled', async () => {
    const agents = await provide();

    assert.deepEqual(
      agents.map(({ name, labels, isEnrolled }) => [name, labels['zone'], isEnrolled]),
      [
        ['agent-1', 'a', false],
        ['agent-2', 'b', false],
        ['agent-3', 'c', false],
      ],
    );
    for (const name of ['ca.key', 'gateway.key']) {
      assert.equal(statSync(file(name)).mode & 0o777, 0o600);
    }
    assert.deepEqual(said, []);
  });

  it('a second start finds the same authority, and who was enrolled stays so', async () => {
    await provide();
    await enrolFirst();
    const before = readFileSync(file('ca.crt'), 'utf8');

    assert.deepEqual(await enrolled(), [true, false, false]);
    assert.equal(readFileSync(file('ca.crt'), 'utf8'), before);
    for (let starts = 0; starts < 2; starts += 1) linkFoldersById(layout, agentNames);
    const byId = readFileSync(join(layout.agent(agentId), 'identity.crt'), 'utf8');
    assert.equal(byId, readFileSync(join(layout.agent('agent-1'), 'identity.crt'), 'utf8'));
  });

  it('an agent whose certificate ran out is enrolled anew, and the gateway gets a fresh one', async () => {
    await provide();
    await enrolFirst();
    const before = readFileSync(file('gateway.crt'), 'utf8');
    const later = { ...systemClock, now: () => systemClock.now() + 400 * 86_400_000 };

    assert.deepEqual(await enrolled(later), [false, false, false]);
    assert.match(said.join(), /agent-1 was away .* enrolled anew/);
    assert.notEqual(readFileSync(file('gateway.crt'), 'utf8'), before);
  });

  it('a journal that was removed is an error, not an empty journal under the old id', async () => {
    await provide();
    await enrolFirst();
    await rm(join(layout.agent('agent-1'), 'journal'), { recursive: true });
    await assert.rejects(provide(), /are not whole/);

    await rm(join(layout.agent('agent-1'), 'journal-id'));
    await assert.rejects(provide(), /are not whole/);
  });

  it('what an older version left is made anew, and that is said', async () => {
    writeFileSync(file('ca.crt'), 'of an older version');
    writeFileSync(file('finished'), '');

    assert.deepEqual(await enrolled(), [false, false, false]);
    assert.match(said.join(), /older version/);
    assert.match(readFileSync(file('ca.crt'), 'utf8'), /BEGIN CERTIFICATE/);
  });

  describe('the trust of local agents', () => {
    const provided = async () => {
      const { signingKeyFile } = provideSecrets(layout.secrets);
      const agents = await provide();
      await provideTrust({ layout, signingKeyFile, agentNames: agents.map(({ name }) => name) });
    };

    it('is the signing key and the authority, made once', async () => {
      await provided();

      const text = readFileSync(file('trust.json'), 'utf8');
      const { serial, signingKeys, authorities } = Trust.read(text).bundle;
      const keyFile = join(layout.secrets, 'signing-key');
      const [key] = signingKeysIn(readFileSync(keyFile, 'utf8'));
      assert.deepEqual([serial, signingKeys.map(({ keyId }) => keyId)], [1, [key.keyId]]);
      assert.deepEqual(authorities, [readFileSync(file('ca.crt'), 'utf8')]);
      assert.equal(statSync(keyFile).mode & 0o777, 0o600);
      await provided();
      assert.equal(readFileSync(file('trust.json'), 'utf8'), text);
    });

    it('is an error when it is not that of the signing key, or is gone although agents have it', async () => {
      await provided();
      await enrolFirst();
      const bundle = readFileSync(file('trust.json'));
      writeFileSync(join(layout.agent('agent-1'), 'trust.json'), bundle);
      rmSync(file('trust.json'));
      await assert.rejects(provided(), /trust\.json is missing/);
      writeFileSync(file('trust.json'), bundle);
      rmSync(join(layout.secrets, 'signing-key'));
      await assert.rejects(provided(), /does not trust the key/);
    });
  });

  it('secrets are made once and are for their owner only', () => {
    const secrets = provideSecrets(layout.secrets);

    assert.deepEqual(provideSecrets(layout.secrets), secrets);
    assert.match(readFileSync(secrets.callbackSecretFile, 'utf8'), /^whsec_/);
    for (const path of [secrets.operatorTokenFile, secrets.webhookSecretFile]) {
      assert.equal(statSync(path).mode & 0o777, 0o600);
    }
  });
});

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fingerprintOf } from '../../../platform/digest.ts';
import { Trust } from '../../../platform/trust-bundle.ts';
import { runInProcess } from '../../support/cli-run.ts';

describe('fixpoint setup certificates, and rotate ca', () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'fixpoint-setup-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const setup = (...argv: readonly string[]) =>
    runInProcess(['setup', ...argv], { environment: { FIXPOINT_STATE_DIR: state } });
  const rotate = (phase: string) => setup('rotate', 'ca', '--phase', phase);
  const path = (name: string) => join(state, 'secrets', 'ca', name);
  const read = (name: string) => readFileSync(path(name), 'utf8');
  const bundle = () => Trust.read(read('trust.json'));
  const trusted = () => bundle().bundle.authorities.map(fingerprintOf);
  const isBy = (name: string, authority: string) =>
    new X509Certificate(read(name)).verify(new X509Certificate(authority).publicKey);
  const holds = (agentId: string, of: { authority: string; notAfter: number }) =>
    appendFileSync(
      path('issued.jsonl'),
      `${JSON.stringify({ kind: 'issue', agentId, name: agentId, ...of })}\n`,
    );

  it('makes what is missing, for its owner only, and touches nothing that is there', async () => {
    const { status, out } = await setup('certificates');
    const again = await setup('certificates');

    assert.equal(status, 0);
    for (const name of ['ca.key', 'ca.crt', 'gateway.key', 'gateway.crt', 'trust.json']) {
      assert.equal(statSync(path(name)).mode & 0o777, 0o600);
      assert.ok(out.includes(`made ${path(name)}`));
    }
    assert.match(again.out, /nothing is missing/);
    assert.ok(isBy('gateway.crt', read('ca.crt')));
    assert.deepEqual(trusted(), [fingerprintOf(read('ca.crt'))]);
  });

  it('goes from the old authority over both to the new one, and agents follow each step', async () => {
    await setup('certificates');
    const agent = bundle();
    const old = read('ca.crt');

    assert.equal((await rotate('publish')).status, 0);
    const fresh = read('next.crt');
    assert.deepEqual(trusted(), [fingerprintOf(old), fingerprintOf(fresh)]);
    assert.equal(read('ca.crt'), old, 'the old one still issues');
    const both = agent.follow(bundle().envelope);
    assert.ok(both.kind === 'taken');

    assert.equal((await rotate('use')).status, 0);
    assert.equal(read('ca.crt'), fresh);
    assert.ok(read('authorities.crt').includes(old.trim()));
    assert.ok(isBy('gateway.crt', old), 'agents that were away still know the gateway');

    assert.equal((await rotate('drop')).status, 0);
    assert.deepEqual(trusted(), [fingerprintOf(fresh)]);
    assert.ok(isBy('gateway.crt', fresh));
    for (const name of ['authorities.crt', 'next.crt', 'next.key'])
      assert.ok(!existsSync(path(name)));
    assert.equal(both.trust.follow(bundle().envelope).kind, 'taken');
  });

  it('drops nothing that an agent still needs, and names it', async () => {
    await setup('certificates');
    const [old, far] = [fingerprintOf(read('ca.crt')), Date.now() + 3_600_000];
    await rotate('publish');
    await rotate('use');
    holds('0123456789ab', { authority: old, notAfter: far });
    holds('0123456789ac', { authority: old, notAfter: 1 });

    const refused = await rotate('drop');

    assert.equal(refused.status, 2);
    assert.match(refused.err, /1 agents hold certificates of the old authority: 0123456789ab/);
    holds('0123456789ab', { authority: fingerprintOf(read('ca.crt')), notAfter: far });
    assert.equal((await rotate('drop')).status, 0);
  });

  it('takes a phase once, however often it is asked for, and none whose turn it is not', async () => {
    await setup('certificates');
    const files = () => ['ca.crt', 'ca.key', 'gateway.crt', 'trust.json'].map(read);

    assert.match((await rotate('use')).err, /--phase publish/);
    for (const phase of ['publish', 'use', 'drop']) {
      await rotate(phase);
      const before = files();
      const again = await rotate(phase);
      if (phase !== 'use') assert.equal(again.status, 0, again.err);
      assert.deepEqual(files(), before);
      if (phase === 'publish') assert.match((await rotate('drop')).err, /--phase use/);
      if (phase === 'use') assert.match((await rotate('publish')).err, /--phase drop/);
    }
  });
});

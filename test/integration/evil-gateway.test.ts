import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import type { Job } from '../../contracts/task.ts';
import { jobIdOf } from '../../domain/ids.ts';
import { jobBytes } from '../../domain/job-bytes.ts';
import { systemClock } from '../../platform/clock.ts';
import { Trust } from '../../platform/trust-bundle.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { aSigningKey, aTrust, signedBy, testKey } from '../support/signing.ts';

type Text = Parameters<FakeGateway['dispatchText']>[0];

/**
 * A gateway in the wrong hands: it holds a certificate that agents trust and every signed job that
 * ever passed it, grants every lease, and tells any time. What ran is read from the host's own
 * evidence, never from a report.
 */
describe('a gateway in the wrong hands', () => {
  let authority: KeyPair;
  let gateway: FakeGateway;
  let host: AgentHost;
  before(async () => {
    authority = await createAuthority(systemClock);
  });
  beforeEach(async () => {
    gateway = await FakeGateway.start(authority);
    host = await AgentHost.create(authority);
  });
  afterEach(async () => {
    await host.remove();
    await gateway.stop();
  });

  const touch = () => `echo ran >>"${host.evidence}"\n`;
  /** A job as a worker signed it and a gateway was given it. */
  const signed = (over: Partial<Job> = {}, by = testKey): Text & { signature: string } => {
    const { job, content } = host.order(touch(), { ...over, keyId: by.keyId });
    const text = jobBytes(job);
    const jobId = jobIdOf(job.taskId, job.agentId);
    return { jobId, job: text, content, signature: signedBy(by, text) };
  };
  const given = async (text: Text): Promise<string> => {
    const before = gateway.results.filter(({ jobId }) => jobId === text.jobId).length;
    gateway.dispatchText(text);
    const { state, reason, note } = await gateway.result(text.jobId, before + 1);
    return note === null ? `${state} ${reason}` : `${state} ${reason}: ${note}`;
  };
  const run = async (): Promise<Text> => {
    const text = signed();
    assert.equal(await given(text), 'succeeded null');
    return text;
  };
  const nothingRan = () => {
    assert.equal(host.starts(), 0);
    assert.deepEqual(readdirSync(join(host.root, 'jobs')), []);
  };
  const doesNotFit = /^refused bad_signature: the signature does not fit/;

  it('cannot change a job: every field, and bytes all over it', async () => {
    host.spawn(gateway.url);
    await gateway.connected();
    const text = signed({ args: ['web'], env: { SERVICE: 'web' } });
    const job = JSON.parse(text.job) as Record<string, unknown>; // Made above.
    const other: Readonly<Record<string, unknown>> = {
      ...{ args: ['db'], env: { SERVICE: 'db' }, secretEnv: { A: 'b' }, cwd: '/', keyId: 'other' },
      ...{
        stdin: { kind: 'text', text: 'x' },
        limits: { timeoutMs: 100, outputBytes: 0 },
        task: {},
      },
    };

    for (const [field, value] of Object.entries(job)) {
      const changed = other[field] ?? (typeof value === 'number' ? value + 1 : `${value}x`);
      const answer = await given({ ...text, job: JSON.stringify({ ...job, [field]: changed }) });
      assert.match(answer, /^refused bad_signature: /, field);
    }
    const bytes = Buffer.from(text.job);
    for (let at = 0; at < bytes.length; at += 17) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      assert.match(await given({ ...text, job: changed.toString() }), /^refused bad_signature: /);
    }
    assert.match(await given({ ...text, content: `${touch()}#` }), /^refused digest_mismatch/);
    nothingRan();
    assert.equal(await given(text), 'succeeded null');
    assert.equal(host.starts(), 1);
  });

  it('cannot leave the signature out, change it, or make one of its own', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const text = signed();
    const { signature, ...unsigned } = text;
    const stranger = aSigningKey();

    assert.equal(await given(unsigned), 'refused bad_signature: the job is not signed');
    const other = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    assert.match(await given({ ...text, signature: other }), doesNotFit);
    assert.match(await given({ ...text, signature: signedBy(stranger, text.job) }), doesNotFit);
    assert.match(await given(signed({}, stranger)), /does not know the signing key/);
    nothingRan();
  });

  it('cannot swap the jobs of two agents, nor the signatures of two jobs', async () => {
    const second = await AgentHost.create(authority);
    try {
      await host.start(gateway.url);
      await gateway.connected();
      const mine = signed();
      const theirs = signed({ agentId: second.agentId, journalId: second.journalId });

      assert.equal(await given(theirs), 'refused wrong_target');
      // Under the id of a job that this agent does not know yet.
      assert.equal(await given({ ...theirs, jobId: mine.jobId }), 'refused invalid_job');
      assert.match(await given({ ...mine, signature: theirs.signature }), doesNotFit);
      nothingRan();
    } finally {
      await second.remove();
    }
  });

  it('cannot replay a job: the agent answers from its journal, after a restart and an hour', async () => {
    const first = await host.start(gateway.url);
    await gateway.connected();
    const text = await run();

    assert.equal(await given(text), 'succeeded null');
    gateway.answer.aheadMs = 3_600_000;
    assert.equal(await given(text), 'succeeded null');
    await first.stop();
    host.spawn(gateway.url);
    await gateway.connected(2);
    assert.equal(await given(text), 'succeeded null');
    // Mangled, it is the same job: what ran is never told as refused.
    assert.equal(await given({ ...text, job: '{}' }), 'succeeded null');

    assert.equal(host.starts(), 1);
  });

  it('cannot run a job an hour late that it held back', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const text = signed();

    gateway.answer.aheadMs = 3_600_000;
    const { pongs } = gateway;
    gateway.drop();
    await gateway.connected(2);
    await eventually(() => assert.ok(gateway.pongs > pongs, 'it has not heard the time'));

    assert.equal(await given(text), 'expired not_after');
    nothingRan();
  });

  it('cannot replay a job to a clone, or to the host once it was enrolled again', async () => {
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const text = await run();
    await agent.stop();

    // The same identity on a state folder whose journal is another one (rule R16).
    for (const name of ['journal', 'jobs']) {
      rmSync(join(host.root, name), { recursive: true });
      mkdirSync(join(host.root, name), { mode: 0o700 });
    }
    host.write('journal-id', '0'.repeat(26));
    await host.start(gateway.url);
    await gateway.connected(2);

    assert.equal(await given(text), 'refused wrong_journal');
    assert.equal(host.starts(), 1);
  });

  it('cannot replay a job to a restored snapshot once the job’s time is over', async () => {
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const snapshot = `${host.root}.snapshot`;
    cpSync(host.root, snapshot, { recursive: true });
    const text = await run();
    await agent.stop();

    try {
      rmSync(host.root, { recursive: true });
      cpSync(snapshot, host.root, { recursive: true });
      chmodSync(host.root, 0o700);
      rmSync(join(host.root, 'lock'), { force: true });
      gateway.answer.aheadMs = 3_600_000;
      await host.start(gateway.url);
      await gateway.connected(2);

      assert.equal(await given(text), 'expired not_after');
      assert.equal(host.starts(), 1);
    } finally {
      rmSync(snapshot, { recursive: true });
    }
  });

  it('cannot replay a job of hours ago to a restored snapshot by lying about the time', async () => {
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const text = await run();
    await agent.stop();

    // As the snapshot was before the job, and two hours later.
    for (const name of ['journal', 'jobs']) {
      rmSync(join(host.root, name), { recursive: true });
      mkdirSync(join(host.root, name), { mode: 0o700 });
    }
    const twoHours = 7_200_000;
    await host.start(gateway.url, {
      clock: { ...systemClock, now: () => systemClock.now() + twoHours },
    });
    await gateway.connected(2);

    assert.match(await given(text), /^expired not_after: by this host’s own clock/);
    assert.equal(host.starts(), 1);
  });

  it('cannot make itself trusted, nor bring back a key that was dropped', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const mine = aSigningKey();
    const kept = () => Trust.read(readFileSync(join(host.root, 'trust.json'), 'utf8')).bundle;
    const forged = await aTrust({ serial: 9, keys: [mine], by: [mine] });
    const signatures = forged.signatures.map((each) => ({ ...each, keyid: testKey.keyId }));

    gateway.send({ type: 'trust', bundle: forged });
    gateway.send({ type: 'trust', bundle: { ...forged, signatures } });
    assert.match(await given(signed({}, mine)), /does not know the signing key/);
    assert.equal(kept().serial, 1);

    // The key is replaced as an operator does it; then the gateway brings the first bundle again.
    const next = aSigningKey();
    gateway.send({
      type: 'trust',
      bundle: await aTrust({ serial: 2, keys: [next], by: [testKey] }),
    });
    gateway.send({ type: 'trust', bundle: await aTrust({ serial: 1 }) });
    gateway.send({ type: 'trust', bundle: await aTrust({ serial: 3 }) });
    assert.match(await given(signed()), /does not know the signing key/);
    assert.equal(kept().serial, 2);
    nothingRan();
    assert.equal(await given(signed({}, next)), 'succeeded null');
  });

  it('and an honest one hand on new keys: jobs of both run meanwhile, also after a restart', async () => {
    const agent = await host.start(gateway.url);
    await gateway.connected();
    const next = aSigningKey();

    gateway.send({
      type: 'trust',
      bundle: await aTrust({ serial: 2, keys: [testKey, next], by: [testKey] }),
    });
    assert.equal(await given(signed()), 'succeeded null');
    assert.equal(await given(signed({}, next)), 'succeeded null');
    await agent.stop();
    await host.start(gateway.url);
    await gateway.connected(2);
    assert.equal(await given(signed({}, next)), 'succeeded null');
    gateway.send({ type: 'trust', bundle: await aTrust({ serial: 3, keys: [next] }) });
    assert.match(await given(signed()), /does not know the signing key/);

    assert.equal(host.starts(), 3);
  });

  it('cannot give an agent that has no trust bundle a first one', async () => {
    rmSync(join(host.root, 'trust.json'));
    await host.start(gateway.url);
    await gateway.connected();

    gateway.send({ type: 'trust', bundle: await aTrust() });

    assert.match(await given(signed()), /has no trust\.json/);
    nothingRan();
  });

  it('finds in a job’s folder what it gave: the exact text and its signature', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const text = await run();

    const kept = await eventually(() =>
      JSON.parse(readFileSync(join(host.root, 'jobs', text.jobId, 'job.json'), 'utf8')),
    );
    assert.deepEqual(kept, { job: text.job, signature: text.signature });
  });
});

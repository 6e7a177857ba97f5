import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { gatewayActivities } from '../../../activities/index.ts';
import { signedTask } from '../../../activities/task-signer.ts';
import { limits } from '../../../contracts/limits.ts';
import { type TaskSubmit, taskSubmit } from '../../../contracts/task.ts';
import { taskIdOf } from '../../../domain/ids.ts';
import { jobBytes, jobOf } from '../../../domain/job-bytes.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { contentDigestOf, sha256 } from '../../../platform/digest.ts';
import { newSigningKey, signingKeysIn } from '../../../platform/signing-key.ts';
import { ed25519Signer } from '../../../workers/ed25519-signer.ts';
import { aReport, someTargets } from '../../support/builders.ts';
import { testKey, testSigner } from '../../support/signing.ts';

const key = 'remediation:test/restart/1/1';
const aTask = (hosts: number): TaskSubmit => ({
  ...{ version: 1, slot: 'remediation:test/restart', attempt: 1, notAfter: 1, deadline: 2 },
  action: {
    ...{ kind: 'script', interpreter: 'sh', content: 'exit 0\n', args: ['web'], env: {} },
    ...{ secretEnv: {}, stdin: { kind: 'none' }, cwd: null },
  },
  targets: someTargets(hosts).map(({ agentId, journalId }, at) => ({
    ...{ agentId, journalId: journalId.replace('j', '0') },
    ...(at % 2 === 0 ? {} : { args: [`own ${at}`] }),
  })),
  limits: { timeoutMs: 1_000, outputBytes: 0 },
  callback: null,
});

describe('the signer of tasks', () => {
  it('signs each host’s own job, as anyone with the public key can check', async () => {
    const signed = await signedTask(testSigner, { key, task: aTask(150) });

    const contentDigest = contentDigestOf('exit 0\n');
    const taskId = taskIdOf(key, sha256);
    const publicKey = createPublicKey(testKey.publicKey);
    assert.equal(signed.targets.length, 150);
    for (const [position, target] of signed.targets.entries()) {
      const job = jobBytes(jobOf({ taskId, key, task: signed, contentDigest, target, position }));
      // DSSE by hand, apart from the code that the product uses.
      const type = 'application/vnd.fixpoint.job+json';
      const bytes = Buffer.from(`DSSEv1 33 ${type} ${Buffer.byteLength(job)} ${job}`);
      assert.ok(verify(null, bytes, publicKey, Buffer.from(target.signature ?? '', 'base64')));
    }
  });

  it('gives the same bytes on every try, and changes nothing else of the task', async () => {
    const task = aTask(3);

    const signed = await signedTask(testSigner, { key, task });

    assert.deepEqual(await signedTask(testSigner, { key, task }), signed);
    const { keyId, ...rest } = signed;
    const targets = rest.targets.map(({ signature: _, ...target }) => target);
    assert.deepEqual({ ...rest, targets }, task);
    assert.equal(keyId, testKey.keyId);
  });

  it('makes a submit of 20,000 hosts that the gateway takes', async () => {
    const signature = await testSigner.sign({ payloadType: 'any', payload: Buffer.from('') });
    const signer = { keyId: testKey.keyId, sign: async () => signature };

    const signed = await signedTask(signer, { key, task: aTask(limits.targetsMax) });

    assert.ok(JSON.stringify(signed).length < limits.taskBodyBytes);
    assert.ok(taskSubmit.safeParse(signed).success);
  });

  it('leaves the event loop to others meanwhile', async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);

    await signedTask(testSigner, { key, task: aTask(500) });

    clearInterval(timer);
    assert.ok(turns >= 5, `${turns} turns`);
  });

  it('of two keys uses the first', async () => {
    const [fresh, old] = [newSigningKey(), newSigningKey()];
    const [freshKey, oldKey] = signingKeysIn(`${fresh},${old}`);

    const signed = await signedTask(ed25519Signer(`${fresh}${old}`), { key, task: aTask(1) });

    assert.equal(signed.keyId, freshKey.keyId);
    assert.notEqual(oldKey?.keyId, freshKey.keyId);
  });

  it('refuses what is no Ed25519 key, without showing it', () => {
    for (const text of ['', 'a secret', `${newSigningKey()}a secret`]) {
      assert.throws(
        () => ed25519Signer(text),
        (error: Error) => /must be Ed25519/.test(error.message) && !/a secret/.test(error.message),
      );
    }
  });

  it('stands before every submit and probe', async () => {
    const submitted: TaskSubmit[] = [];
    const activities = gatewayActivities({
      gateway: {
        submit: async ({ task }) => {
          submitted.push(task);
          return aReport(key, task, '.');
        },
        poll: async () => null,
        cancel: async () => {},
      },
      signer: testSigner,
      crash: noCrashPoints,
    });

    await activities.submitTask({ key, task: aTask(1) });
    await activities.probe({ key, task: aTask(1) });

    assert.equal(submitted.length, 2);
    assert.ok(submitted.every(({ targets }) => targets.every(({ signature }) => signature)));
  });
});

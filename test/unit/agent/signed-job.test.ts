import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readOrder } from '../../../agent/task-check.ts';
import { TrustStore } from '../../../agent/trust-store.ts';
import type { Job } from '../../../contracts/task.ts';
import { jobBytes } from '../../../domain/job-bytes.ts';
import { contentDigestOf } from '../../../platform/digest.ts';
import { silentLog } from '../../../platform/log.ts';
import { aSigningKey, aTrust, signedBy, testKey } from '../../support/signing.ts';

const me = { agentId: '0123456789ab', journalId: '0'.repeat(26) };
const content = 'systemctl restart "$1"\n';

/** A job that has something in every field. */
const aJob: Job = {
  version: 1,
  taskId: `t${'a'.repeat(25)}`,
  ...me,
  slot: `remediation:web/restart.${me.agentId}`,
  attempt: 2,
  action: 'script',
  contentDigest: contentDigestOf(content),
  interpreter: 'sh',
  args: ['web', '号\ufffd'],
  env: { SERVICE: 'web' },
  secretEnv: { TOKEN: 'web-token' },
  stdin: { kind: 'text', text: '[{"alertname":"ServiceDown"}]' },
  cwd: '/srv',
  limits: { timeoutMs: 30_000, outputBytes: 1_000 },
  notAfter: 1_800_000_000_000,
  task: {
    key: 'remediation:web/restart/1/2',
    size: 3,
    position: 1,
    callback: { url: 'http://127.0.0.1:8450/v1/callbacks/tasks', reference: 'remediation:web' },
  },
  keyId: testKey.keyId,
};
const text = jobBytes(aJob);
const signature = signedBy(testKey, text);

describe('a signed job', () => {
  let folder: string;
  let trust: TrustStore;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-trust-'));
    writeFileSync(join(folder, 'trust.json'), JSON.stringify(await aTrust()));
    trust = TrustStore.open(join(folder, 'trust.json'), silentLog);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const read = (of: { job?: string; signature?: string | undefined; content?: string }) => {
    const order = readOrder(
      { jobId: `${aJob.taskId}.${me.agentId}`, job: text, signature, content, ...of },
      { ...me, digestOf: contentDigestOf, distrust: (signed) => trust.distrust(signed) },
    );
    if (order.kind === 'job') return 'job';
    return `${order.report.reason}: ${order.report.note}`;
  };
  const doesNotFit = /^bad_signature: the signature does not fit/;
  const isNotBelieved = /^bad_signature: (the signature does not fit|this agent does not know)/;

  it('is believed as it was signed', () => {
    assert.equal(read({}), 'job');
  });

  it('with any one byte of it changed is not believed', () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at & 7)), at);
      assert.match(read({ job: changed.toString('utf8') }), isNotBelieved, `byte ${at}`);
    }
  });

  it('with any one bit of its signature changed is not believed', () => {
    const bytes = Buffer.from(signature, 'base64');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      assert.match(read({ signature: changed.toString('base64') }), doesNotFit);
    }
  });

  it('cut short or with anything before or behind it is not believed', () => {
    for (let length = 0; length < text.length; length += 1) {
      assert.match(read({ job: text.slice(0, length) }), doesNotFit);
    }
    for (const job of [`${text} `, ` ${text}`, `\ufeff${text}`, text + text]) {
      assert.match(read({ job }), doesNotFit);
    }
  });

  it('with any field of it changed, left out, added or given twice is not believed', () => {
    const others: Readonly<Record<string, unknown>> = {
      args: ['db'],
      env: { SERVICE: 'db' },
      secretEnv: {},
      stdin: { kind: 'none' },
      limits: { timeoutMs: 1, outputBytes: 1 },
      task: { size: 1, callback: null },
    };
    for (const [field, value] of Object.entries(aJob)) {
      const other = others[field] ?? (typeof value === 'number' ? value + 1 : `${value}x`);
      assert.match(read({ job: JSON.stringify({ ...aJob, [field]: other }) }), isNotBelieved);
      const { [field as keyof Job]: _, ...less } = aJob;
      assert.match(read({ job: JSON.stringify(less) }), isNotBelieved);
      const twice = `${text.slice(0, -1)},${JSON.stringify(field)}:${JSON.stringify(other)}}`;
      assert.match(read({ job: twice }), isNotBelieved);
    }
    assert.match(read({ job: JSON.stringify({ ...aJob, runAs: 'root' }) }), doesNotFit);
  });

  it('written in another way, though it means the same, is not believed', () => {
    const reordered = Object.fromEntries(Object.entries(aJob).reverse());
    assert.match(read({ job: JSON.stringify(reordered) }), doesNotFit);
    assert.match(read({ job: JSON.stringify(aJob, null, 1) }), doesNotFit);
  });

  it('with a character that UTF-8 cannot carry in place of the one it becomes is not believed', () => {
    const job = text.replace('\ufffd', '\ud800');

    assert.deepEqual(Buffer.from(job), Buffer.from(text));
    assert.match(read({ job }), doesNotFit);
  });

  it('without a signature, or by a key that is not trusted, says so', () => {
    const stranger = aSigningKey();
    const theirs = jobBytes({ ...aJob, keyId: stranger.keyId });

    assert.equal(read({ signature: undefined }), 'bad_signature: the job is not signed');
    assert.equal(
      read({ job: theirs, signature: signedBy(stranger, theirs) }),
      `bad_signature: this agent does not know the signing key ${stranger.keyId}`,
    );
    // Under the name of a key that is trusted.
    assert.match(read({ signature: signedBy(stranger, text) }), doesNotFit);
  });

  it('signed as a trust bundle would be is not believed', async () => {
    const sealed = await aTrust();
    const job = Buffer.from(sealed.payload, 'base64').toString('utf8');

    assert.match(read({ job, signature: sealed.signatures[0]?.sig }), /^bad_signature/);
  });

  it('with another script than was signed for is refused for that', () => {
    assert.equal(read({ content: 'rm -rf /\n' }), 'digest_mismatch: null');
  });

  it('is not believed by an agent that has no trust bundle', () => {
    const none = TrustStore.open(join(folder, 'none.json'), silentLog);

    assert.match(
      none.distrust({ text, keyId: testKey.keyId, signature }) ?? '',
      /has no trust\.json/,
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { job, taskSubmit } from '../../../contracts/task.ts';
import { preAuthEncoding } from '../../../domain/dsse.ts';
import { jobBytes, jobOf, jobWriter } from '../../../domain/job-bytes.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
const stdin = fc.oneof(
  fc.record({ kind: fc.constant('none' as const) }),
  fc.record({ kind: fc.constant('text' as const), text }),
  fc.record({ kind: fc.constant('secret' as const), secret: fc.constant('web-token') }),
);
const crockford = (length: number) =>
  fc.stringMatching(new RegExp(`^[0-9a-hjkmnp-tv-z]{${length}}$`));
const args = fc.array(text, { maxLength: 4 });
const env = fc.dictionary(name, text, { maxKeys: 4 });
const target = fc.record(
  { agentId: crockford(12), journalId: crockford(26), args, env, stdin },
  { requiredKeys: ['agentId', 'journalId'] },
);
const submit = fc.record(
  {
    version: fc.constant(1 as const),
    slot: fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
    attempt: fc.integer({ min: 1, max: 1_000_000 }),
    action: fc.record({
      kind: fc.constant('script' as const),
      interpreter: fc.constantFrom('sh' as const, 'bash' as const),
      content: fc.string({ unit: 'binary', minLength: 1 }),
      args,
      env,
      secretEnv: fc.dictionary(name, fc.constant('web-token')),
      stdin,
      cwd: fc.constantFrom(null, '/srv', '/"\\\n'),
    }),
    targets: fc.array(target, { minLength: 1, maxLength: 5 }),
    limits: fc.constant({ timeoutMs: 60_000, outputBytes: 1_000 }),
    notAfter: fc.integer({ min: 1 }),
    deadline: fc.integer({ min: 1 }),
    callback: fc.constantFrom(null, { url: 'http://127.0.0.1/', reference: 'a "quoted" one' }),
    keyId: fc.constant('0123456789abcdef'),
  },
  { requiredKeys: ['version', 'slot', 'attempt', 'action', 'targets', 'limits', 'notAfter'] },
);
const taskId = `t${'a'.repeat(25)}`;
const contentDigest = `sha256:${'0'.repeat(64)}`;

describe('the bytes of a job', () => {
  it('written for a whole task are for every host those of its job alone, and its job again', () => {
    fc.assert(
      fc.property(submit, fc.string({ unit: 'binary', minLength: 8 }), (given, key) => {
        const task = taskSubmit.parse({ deadline: 1, callback: null, ...given });
        const of = { taskId, key, task, contentDigest };
        const write = jobWriter(of);
        for (const [position, each] of task.targets.entries()) {
          const alone = jobOf({ ...of, target: each, position });

          assert.equal(write(each, position), jobBytes(alone));
          assert.deepEqual(JSON.parse(write(each, position)), JSON.parse(JSON.stringify(alone)));
        }
      }),
    );
  });

  it('do not depend on the order of a map, nor on a signature', () => {
    const [agentId, journalId] = ['a0b1c2d3e4f5', 'a0b1c2d3e4f5g6h7j8k9m0n1p2'];
    const written = (own: Record<string, string>, signature?: string) => {
      const task = taskSubmit.parse({
        ...{ version: 1, slot: 'slot', attempt: 1, notAfter: 1, deadline: 1, callback: null },
        action: {
          ...{ kind: 'script', interpreter: 'sh', content: 'exit', args: [], env: own },
          ...{ secretEnv: {}, stdin: { kind: 'none' }, cwd: null },
        },
        limits: { timeoutMs: 1_000, outputBytes: 0 },
        targets: [{ agentId, journalId, signature }],
      });
      const [first] = task.targets;
      assert.ok(first);
      return jobWriter({ taskId, key: 'a-key-of-the-test', task, contentDigest })(first, 0);
    };

    const bytes = written({ A: '1', B: '2' });
    assert.equal(written({ B: '2', A: '1' }, `${'a'.repeat(85)}Q==`), bytes);
    assert.equal(job.parse(JSON.parse(bytes)).task.position, 0);
  });
});

describe('pre-authentication encoding', () => {
  it('is the one that DSSE gives as its example', () => {
    const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));

    assert.equal(
      Buffer.from(encoded).toString(),
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('counts bytes, not characters, of type and payload', () => {
    const encoded = preAuthEncoding('é', Buffer.from('日'));

    assert.equal(Buffer.from(encoded).toString(), 'DSSEv1 2 é 3 日');
  });
});

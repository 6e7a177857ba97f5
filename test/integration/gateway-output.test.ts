import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../contracts/limits.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

type Text = { offset: number; next: number; total: number; finished: boolean; text: string };

describe('output at the gateway', () => {
  let host: GatewayHost;
  let agent: FakeAgent;
  before(async () => {
    host = await GatewayHost.start();
    agent = await host.connect(1);
  });
  after(() => host.stop());

  let tasks = 0;
  /** A running job; `path` is where its output is read. */
  const job = async (outputBytes: number = limits.outputBytes) => {
    tasks += 1;
    const limit = { timeoutMs: 10_000, outputBytes };
    const { body } = await host.submit(`key-output-${tasks}`, host.task({ limits: limit }));
    const { jobId } = await agent.heard('dispatch', tasks);
    return { jobId, path: `/v1/tasks/${(body as { taskId: string }).taskId}/jobs/agent-1/output` };
  };
  const send = (jobId: string, bytes: Buffer, from = 0) => {
    for (let offset = from; offset < bytes.length; offset += limits.outputFrameBytes) {
      const data = bytes.subarray(offset, offset + limits.outputFrameBytes);
      agent.output({ jobId, stream: 'stdout', offset, data });
    }
  };
  const end = async (jobId: string) => {
    agent.result(jobId);
    await eventually(() => assert.ok(agent.all('stored').some((frame) => frame.jobId === jobId)));
  };
  const read = async (path: string, query: string) =>
    (await host.call({ path: `${path}?${query}` })).body as Text;
  const bytesAt = async (path: string, query: string) => {
    const headers = { authorization: 'Bearer a-token-of-the-tests-only' };
    const accept = 'application/octet-stream';
    const response = await fetch(`${host.url}${path}?${query}`, {
      headers: { ...headers, accept },
    });
    return Buffer.from(await response.arrayBuffer());
  };

  it('3 MB of CJK and emoji read by offsets and odd limits is byte-equal, as text and as bytes', async () => {
    const { jobId, path } = await job();
    const whole = Buffer.from('修复😀 ok — é漢字👩‍🚀\n'.repeat(80_000)).subarray(0, 3_000_000);
    send(jobId, whole);
    await end(jobId);

    const texts: string[] = [];
    for (let offset = 0, done = false; !done; ) {
      const piece = await read(path, `offset=${offset}&limit=99991`);
      assert.equal(piece.offset, offset);
      texts.push(piece.text);
      offset = piece.next;
      done = piece.finished;
    }
    const pieces: Buffer[] = [];
    for (let offset = 0; offset < whole.length; offset += 500_009) {
      pieces.push(await bytesAt(path, `offset=${offset}&limit=500009`));
    }

    // The cut at 3,000,000 bytes may tear the last character: all before it is the same.
    assert.equal(texts.join(''), whole.toString('utf8'));
    assert.ok(Buffer.concat(pieces).equals(whole));
    assert.equal((await bytesAt(path, `offset=${whole.length}`)).length, 0);
  });

  it('from any offset the text begins at the edge of its character', async () => {
    const { jobId, path } = await job();
    const whole = Buffer.from('漢😀aé'.repeat(50));
    send(jobId, whole);
    await end(jobId);

    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.integer({ min: 1, max: 40 }), async (at, limit) => {
        const { offset, next, text } = await read(path, `offset=${at}&limit=${limit}`);
        assert.ok(offset <= at && at - offset < 4);
        assert.ok(Buffer.from(text).equals(whole.subarray(offset, next)));
      }),
      { numRuns: 50 },
    );
  });

  it('a repeated piece changes nothing, and a piece after a gap is not taken', async () => {
    const { jobId, path } = await job();
    const piece = (offset: number, text: string) =>
      agent.output({ jobId, stream: 'stdout', offset, data: Buffer.from(text) });

    piece(0, 'abc');
    piece(0, 'abcdef');
    piece(2, 'cd');
    piece(100, 'far');
    await end(jobId);

    const { text, total } = await read(path, '');
    assert.equal(text, 'abcdef');
    assert.equal(total, 6);
  });

  it('a job keeps no more than its limit, both streams together', async () => {
    const { jobId, path } = await job(1_000);

    agent.output({ jobId, stream: 'stderr', offset: 0, data: Buffer.alloc(400, 'e') });
    send(jobId, Buffer.alloc(5_000, 'o'));
    await end(jobId);

    assert.equal((await read(path, '')).total, 600);
    assert.equal((await read(path, 'stream=stderr')).total, 400);
  });

  it('while the job runs, a torn character waits for the rest of it', async () => {
    const { jobId, path } = await job();
    const whole = Buffer.from('a漢');
    agent.output({ jobId, stream: 'stdout', offset: 0, data: whole.subarray(0, 2) });
    const early = await eventually(async () => {
      const piece = await read(path, '');
      assert.equal(piece.total, 2);
      return piece;
    });

    agent.output({ jobId, stream: 'stdout', offset: 2, data: whole.subarray(2) });
    await end(jobId);
    const late = await read(path, `offset=${early.next}`);

    assert.deepEqual([early.text, early.next, early.finished], ['a', 1, false]);
    assert.deepEqual([late.text, late.next, late.finished], ['漢', 4, true]);
  });
});

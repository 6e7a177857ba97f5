import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeOutputAnswer } from '../../contracts/frames.ts';
import { limits } from '../../contracts/limits.ts';
import type { TaskSubmit } from '../../contracts/task.ts';
import { JobOutput } from '../../redis/job-output.ts';
import { keys } from '../../redis/keys.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

/** A server that keeps what it was asked. */
class Thief {
  readonly #server: Server;
  asked: IncomingMessage | undefined;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.asked = request;
      response.writeHead(503).end();
    });
  }

  static async start(): Promise<Thief> {
    const thief = new Thief();
    thief.#server.listen(0, '127.0.0.1');
    await once(thief.#server, 'listening');
    return thief;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // It listens on TCP.
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

type Text = { offset: number; next: number; total: number; finished: boolean; text: string };

describe('output at the gateway', () => {
  let host: GatewayHost;
  let agent: FakeAgent;
  before(async () => {
    host = await GatewayHost.start({ agents: 2, clocks: { outputGetMs: 300 } });
    agent = await host.connect(1);
  });
  after(() => host.stop());

  /** Bytes that tell their place. */
  const flood = (size: number, seed: number) =>
    Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8) * 7 + seed) % 251));
  let tasks = 0;
  const taskOf = (limit: TaskSubmit['limits']) => {
    const { agentId, journalId } = host.agent(1);
    return host.task({ limits: limit, targets: [{ agentId, journalId }] });
  };
  /** A running job; `path` is where its output is read. */
  const job = async (outputBytes: number = limits.outputBytes) => {
    tasks += 1;
    const limit = { timeoutMs: 10_000, outputBytes };
    const { body } = await host.submit(`key-output-${tasks}`, taskOf(limit));
    const { taskId } = body as { taskId: string };
    const { jobId } = await eventually(() => {
      const frame = agent.all('dispatch').find((each) => each.jobId.startsWith(taskId));
      if (frame === undefined) throw new Error('no dispatch yet');
      return frame;
    });
    return { jobId, path: `/v1/tasks/${(body as { taskId: string }).taskId}/jobs/agent-1/output` };
  };
  const send = (jobId: string, bytes: Buffer, from = 0) => {
    for (let offset = from; offset < bytes.length; offset += limits.outputFrameBytes) {
      const data = bytes.subarray(offset, offset + limits.outputFrameBytes);
      agent.output({ jobId, stream: 'stdout', offset, data });
    }
  };
  /** As an agent does it: the head while the job runs, then the tail; the whole stays on the host. */
  const hold = (jobId: string, whole: Buffer) => {
    agent.holds({ jobId, stream: 'stdout', data: whole });
    send(jobId, whole.subarray(0, limits.outputHeadBytes));
    const offset = Math.max(limits.outputHeadBytes, whole.length - limits.outputTailBytes);
    if (offset >= whole.length) return;
    agent.output({ jobId, stream: 'stdout', offset, data: whole.subarray(offset) });
  };
  const end = async (jobId: string, stdoutBytes = 0) => {
    agent.result(jobId, { stdoutBytes });
    await eventually(async () => {
      await agent.ping();
      assert.ok(agent.stored.includes(jobId));
    });
  };
  const read = async (path: string, query: string) =>
    (await host.call({ path: `${path}?${query}` })).body as Text;
  const bytesAt = async (path: string, query: string, url = host.url) => {
    const headers = { authorization: 'Bearer a-token-of-the-tests-only' };
    const accept = 'application/octet-stream';
    const response = await fetch(`${url}${path}?${query}`, {
      headers: { ...headers, accept },
    });
    return Buffer.from(await response.arrayBuffer());
  };

  it('3 MB of CJK and emoji read by offsets and odd limits is byte-equal, as text and as bytes', async () => {
    const { jobId, path } = await job();
    const whole = Buffer.from('修复😀 ok — é漢字👩‍🚀\n'.repeat(80_000)).subarray(0, 3_000_000);
    hold(jobId, whole);
    await end(jobId, whole.length);

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

  it('an agent that sends everything leaves head and tail, and Redis holds no more', async () => {
    const old = await host.connect(2, undefined, 1);
    const { agentId, journalId } = host.agent(2);
    const task = host.task({ targets: [{ agentId, journalId }] });
    const { body } = await host.submit('key-output-old', task);
    const { jobId } = await old.heard('dispatch');
    const whole = { stdout: flood(600_000, 1), stderr: flood(200_000, 2) };
    for (const stream of ['stdout', 'stderr'] as const) {
      for (let offset = 0; offset < whole[stream].length; offset += 50_000) {
        old.output({
          jobId,
          stream,
          offset,
          data: whole[stream].subarray(offset, offset + 50_000),
        });
      }
    }
    old.result(jobId, { stdoutBytes: 600_000, stderrBytes: 200_000 });
    await old.kept();

    const path = `/v1/tasks/${(body as { taskId: string }).taskId}/jobs/agent-2/output`;
    const { outputHeadBytes: head, outputTailBytes: tails } = limits;
    for (const stream of ['stdout', 'stderr'] as const) {
      const size = whole[stream].length;
      const first = await bytesAt(path, `stream=${stream}&limit=1000000&gap=skip`);
      const rest = await bytesAt(path, `stream=${stream}&offset=${head}&limit=1000000&gap=skip`);
      assert.ok(first.equals(whole[stream].subarray(0, head)));
      assert.ok(rest.equals(whole[stream].subarray(size - tails / 2)));
    }
    const [key] = await host.redis.keys('*:output:*');
    const kept = await host.redis.hgetallBuffer(key ?? '');
    const held = Object.values(kept).reduce((sum, value) => sum + value.length, 0);
    assert.ok(held <= 2 * head + tails + 20);
    assert.ok((await host.redis.pttl(key ?? '')) > 86_000_000);
    const { status, body: why } = await host.call({ path: `${path}?offset=${head}` });
    assert.deepEqual([status, (why as { code: string }).code], [415, 'unsupported']);
    await old.cut();
  });

  it('pieces in any portions, repeated or not, leave head and tail of what was sent', async () => {
    const { outputHeadBytes: head, outputTailBytes: tails } = limits;
    const store = new JobOutput(host.redis);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(150_000),
        fc.array(fc.tuple(fc.nat(65_536), fc.nat(20_000)), { minLength: 1, maxLength: 12 }),
        async (size, steps) => {
          const { jobId } = await job();
          const [taskId = '', agentId = ''] = jobId.split('.');
          const whole = flood(size, size);
          let sent = 0;
          for (const [bytes, back] of steps) {
            const offset = Math.max(0, sent - back);
            const data = whole.subarray(offset, offset + bytes);
            await store.append({ jobId, stream: 'stdout', offset, data });
            sent = Math.max(sent, offset + data.length);
          }

          const kept = await store.kept({ taskId, agentId, stream: 'stdout' });

          const tailFrom = Math.max(head, sent - tails);
          assert.ok(kept.head.equals(whole.subarray(0, Math.min(sent, head))));
          assert.ok(kept.tail.equals(whole.subarray(tailFrom, sent)));
          if (sent > head) assert.equal(kept.tailFrom, tailFrom);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('a host that is away leaves the ends to be read and a refusal for what lies between', async () => {
    const { jobId, path } = await job();
    const whole = flood(200_000, 3);
    hold(jobId, whole);
    await end(jobId, whole.length);
    agent.isAnswering = false;

    const silent = await host.call({ path: `${path}?offset=20000` });
    const last = await bytesAt(path, `offset=${whole.length - 100}`);
    agent.isAnswering = true;
    const again = await bytesAt(path, 'offset=20000&limit=1000');

    assert.equal(silent.status, 504);
    assert.ok(last.equals(whole.subarray(-100)));
    assert.ok(again.equals(whole.subarray(20_000, 21_000)));

    await agent.cut();
    const away = await host.call({ path: `${path}?offset=20000` });
    agent = await host.connect(1);
    const { code, hint } = away.body as { code: string; hint: string };
    assert.deepEqual([away.status, code], [503, 'agent_offline']);
    assert.match(hint, /bytes 0 to 8192 and 150848 to 200000/);
  });

  it('an answer that nobody asked for ends the link', async () => {
    const { jobId } = await job();

    agent.sayBytes(
      encodeOutputAnswer({
        kind: 'piece',
        id: 77_777,
        offset: 0,
        total: 1,
        data: Buffer.from('x'),
      }),
    );
    await agent.gone();

    assert.equal(agent.all('bye').at(-1)?.reason, 'bad_frame');
    agent = await host.connect(1);
    await agent.heard('dispatch');
    await end(jobId);
  });

  it('a repeated piece changes nothing, and a piece after a gap in the head is not taken', async () => {
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

  it('output is read by any gateway, whichever has the agent', async () => {
    const two = 'gateway-2';
    await host.startGateway(two);
    const { jobId, path } = await job();
    const whole = flood(400_000, 4);
    hold(jobId, whole);
    await end(jobId, whole.length);

    const query = `offset=20000&limit=300000`;
    const other = await bytesAt(path, query, host.urlOf(two));
    const text = await host.call({ path: `${path}?offset=20000&limit=100`, gatewayId: two });
    await agent.cut();
    const away = await host.call({ path: `${path}?offset=20000`, gatewayId: two });
    agent = await host.connect(1);

    assert.ok(other.equals(whole.subarray(20_000, 320_000)));
    assert.equal((text.body as Text).total, whole.length);
    assert.deepEqual([away.status, (away.body as { code: string }).code], [503, 'agent_offline']);
    await host.stopGateway(two);
  });

  it('an address that somebody wrote into Redis is told no token, and nothing that is of use elsewhere', async (t) => {
    const two = 'gateway-2';
    await host.startGateway(two);
    const { jobId, path } = await job();
    hold(jobId, flood(400_000, 5));
    await end(jobId, 400_000);
    const thief = await Thief.start();
    t.after(() => thief.stop());

    const asked = await eventually(async () => {
      // The gateway itself writes there now and then.
      await host.redis.set(keys.gateway.alive('gateway-1'), thief.url, 'PX', 60_000);
      await host.call({ path: `${path}?offset=20000`, gatewayId: two });
      assert.ok(thief.asked);
      return thief.asked;
    });

    assert.doesNotMatch(asked.rawHeaders.join('\n'), /token|bearer/i);
    const headers = asked.headers as Record<string, string>;
    for (const gatewayId of ['gateway-1', two]) {
      const answers = await Promise.all([
        host.call({ path: asked.url ?? '', headers, gatewayId }),
        host.call({ path: '/v1/agents', headers, gatewayId }),
        host.call({ path: '/v1/tasks', headers, gatewayId, method: 'POST' }),
      ]);
      for (const { status } of answers) assert.equal(status, 403);
    }
    await host.stopGateway(two);
  });
});

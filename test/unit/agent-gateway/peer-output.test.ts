import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import {
  forwardedHeader,
  PeerOutput,
  type PeerOutputDeps,
} from '../../../agent-gateway/peer-output.ts';
import { isSignedByPeer } from '../../../agent-gateway/peer-signature.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';

const agentId = '0123456789ab';
const tokens = ['a-token-of-workers', 'a-token-of-operators'];
const range = {
  ...{ jobId: `t${'a'.repeat(25)}.${agentId}`, offset: 5, limit: 7 },
  stream: 'stdout',
} as const;

/** Writes for as long as somebody reads; resolves with how much once nobody does. */
function pour(response: ServerResponse): Promise<number> {
  let bytes = 0;
  const chunk = Buffer.alloc(65_536);
  const write = () => {
    do bytes += chunk.length;
    while (response.write(chunk));
  };
  response.on('drain', write);
  write();
  return new Promise((resolve) => {
    response.on('close', () => resolve(bytes));
  });
}

describe('output of an agent that another gateway has', () => {
  let server: Server;
  let url: string;
  let asked: IncomingMessage | undefined;
  /** What the other gateway answers; null: nothing at all. */
  let answer: { readonly status: number; readonly total?: string; readonly data?: string } | null;
  /** Bytes that a body without end came to before it was cut off. */
  let poured: Promise<number> | undefined;
  before(async () => {
    server = createServer((request, response) => {
      asked = request;
      if (answer === null) return;
      const { status, total, data = 'data' } = answer;
      const headers = total === undefined ? {} : { 'fixpoint-output-total': total };
      response.writeHead(status, headers);
      if (data === 'endless') poured = pour(response);
      else response.end(data);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // It listens on TCP.
    url = `http://127.0.0.1:${port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const ask = (over: Partial<PeerOutputDeps> = {}) =>
    new PeerOutput({
      owners: async () => [{ gatewayId: 'gateway-2' }],
      alive: async () => new Map([['gateway-2', url]]),
      ...{ gatewayId: 'gateway-1', tokens, egressAllow: ['127.0.0.1'], outputGetMs: 50 },
      ...{ clock: systemClock, log: silentLog, ...over },
    }).ask(agentId, range);

  it('is asked for once, with a mark that keeps it from going further', async () => {
    answer = { status: 200, total: '99' };

    assert.deepEqual(await ask(), { kind: 'piece', data: Buffer.from('data'), total: 99 });
    assert.match(asked?.url ?? '', /\/jobs\/0123456789ab\/output\?stream=stdout&offset=5&limit=7$/);
    assert.equal(asked?.headers[forwardedHeader], 'gateway-1');
  });

  it('is asked for without any token, by a signature that is good at that address alone', async () => {
    answer = { status: 200, total: '99' };

    await ask();

    const told = asked?.rawHeaders.join('\n') ?? '';
    for (const token of tokens) assert.equal(told.includes(token), false);
    const { authorization = '' } = asked?.headers ?? {};
    const request = { method: 'GET', path: asked?.url ?? '', from: 'gateway-1' };
    const isTakenAt = (origin: string) =>
      isSignedByPeer(authorization, { ...request, origin }, { tokens, now: Date.now() });
    assert.ok(isTakenAt(url));
    assert.equal(isTakenAt('http://127.0.0.1:8452'), false);
  });

  it('is not taken when it is more than was asked for, and is not read to its end', async () => {
    answer = { status: 200, total: '99', data: '8 bytes.' };
    assert.deepEqual(await ask({ outputGetMs: 60_000 }), { kind: 'offline' });

    answer = { status: 200, total: '99', data: 'endless' };
    assert.deepEqual(await ask({ outputGetMs: 60_000 }), { kind: 'offline' });
    assert.ok(((await poured) ?? Infinity) < 16 * 1024 * 1024);

    answer = { status: 503, data: 'endless' };
    assert.deepEqual(await ask({ outputGetMs: 60_000 }), { kind: 'offline' });
    assert.ok(((await poured) ?? Infinity) < 16 * 1024 * 1024);
  });

  it('is not taken without a whole number of bytes that there are', async () => {
    for (const total of ['', '-1', '1.5', 'many', '99 bytes', '9'.repeat(30)]) {
      answer = { status: 200, total };
      assert.deepEqual(await ask(), { kind: 'offline' }, total);
    }
  });

  it('is asked for only where the gateway may send anything, by HTTP', async () => {
    asked = undefined;
    const { port } = new URL(url);
    const from = (address: string) => ask({ alive: async () => new Map([['gateway-2', address]]) });

    assert.deepEqual(await from(`http://localhost:${port}`), { kind: 'refused' });
    assert.deepEqual(await from('http://169.254.169.254'), { kind: 'refused' });
    assert.deepEqual(await from('ftp://127.0.0.1'), { kind: 'refused' });
    assert.deepEqual(await from('data:text/plain,x'), { kind: 'refused' });
    assert.deepEqual(await from('no address'), { kind: 'offline' });
    assert.equal(asked, undefined);
  });

  it('is not asked for by a gateway that has no token', async () => {
    asked = undefined;

    assert.deepEqual(await ask({ tokens: [] }), { kind: 'offline' });
    assert.equal(asked, undefined);
  });

  it('is refused as the other gateway refuses it, and one of before cannot be asked', async () => {
    const kinds = {
      401: 'too_old',
      403: 'refused',
      410: 'gone',
      415: 'too_old',
      429: 'busy',
      503: 'offline',
      504: 'silent',
    };
    for (const [status, kind] of Object.entries(kinds)) {
      answer = { status: Number(status) };
      assert.deepEqual(await ask(), { kind });
    }
    answer = { status: 200 };
    assert.deepEqual(await ask(), { kind: 'too_old' });
  });

  it('is not waited for without end', async () => {
    answer = null;

    assert.deepEqual(await ask(), { kind: 'silent' });
  });

  it('is offline where nobody has the agent, we do, or its gateway is dead', async () => {
    const nobody = ask({ owners: async () => [null] });
    const us = ask({ owners: async () => [{ gatewayId: 'gateway-1' }] });
    const dead = ask({ alive: async () => new Map() });
    const deaf = ask({ alive: async () => new Map([['gateway-2', 'http://127.0.0.1:1']]) });

    for (const each of [nobody, us, dead, deaf]) assert.deepEqual(await each, { kind: 'offline' });
  });
});

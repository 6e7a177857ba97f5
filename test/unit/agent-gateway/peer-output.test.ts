import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import {
  forwardedHeader,
  PeerOutput,
  type PeerOutputDeps,
} from '../../../agent-gateway/peer-output.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';

const agentId = '0123456789ab';
const range = {
  ...{ jobId: `t${'a'.repeat(25)}.${agentId}`, offset: 5, limit: 7 },
  stream: 'stdout',
} as const;

describe('output of an agent that another gateway has', () => {
  let server: Server;
  let url: string;
  let asked: IncomingMessage | undefined;
  /** What the other gateway answers; null: nothing at all. */
  let answer: { readonly status: number; readonly total?: string } | null;
  before(async () => {
    server = createServer((request, response) => {
      asked = request;
      if (answer === null) return;
      const { status, total } = answer;
      const headers = total === undefined ? {} : { 'fixpoint-output-total': total };
      response.writeHead(status, headers).end('data');
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
      ...{ gatewayId: 'gateway-1', token: 'a-token', outputGetMs: 50 },
      ...{ clock: systemClock, log: silentLog, ...over },
    }).ask(agentId, range);

  it('is asked for once, with a token and a mark that keeps it from going further', async () => {
    answer = { status: 200, total: '99' };

    assert.deepEqual(await ask(), { kind: 'piece', data: Buffer.from('data'), total: 99 });
    assert.match(asked?.url ?? '', /\/jobs\/0123456789ab\/output\?stream=stdout&offset=5&limit=7$/);
    assert.equal(asked?.headers.authorization, 'Bearer a-token');
    assert.equal(asked?.headers[forwardedHeader], 'gateway-1');
  });

  it('is refused as the other gateway refuses it, and one of before cannot be asked', async () => {
    const kinds = { 410: 'gone', 415: 'too_old', 429: 'busy', 503: 'offline', 504: 'silent' };
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

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../platform/clock.ts';
import { pageAsker } from '../../../workers/page-asker.ts';

describe('asking for one page', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  after(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  const ask = async (answer: RequestListener, timeoutMs = 5_000) => {
    const server = createServer(answer).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // It listens on TCP.
    return pageAsker(systemClock)(new URL(`http://127.0.0.1:${port}/health`), timeoutMs);
  };

  it('tells its status and its text', async () => {
    const answer = await ask((_, response) => response.writeHead(503).end('ill'));

    assert.deepEqual(answer, { kind: 'answered', status: 503, text: 'ill' });
  });

  it('follows no redirect', async () => {
    const paths: (string | undefined)[] = [];

    const answer = await ask(({ url }, response) => {
      paths.push(url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });

    assert.equal(answer.kind === 'answered' && answer.status, 302);
    assert.deepEqual(paths, ['/health']);
  });

  it('reads no more than the beginning of a page without an end', async () => {
    const answer = await ask((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(8_192)));
        response.once('drain', more);
      };
      more();
    });

    assert.equal(answer.kind === 'answered' && answer.text.length, limits.probePageBytes);
  });

  it('ends in time when the page does not', async () => {
    const answer = await ask((_, response) => {
      response.write('so far');
    }, 200);

    assert.deepEqual(answer, { kind: 'no_answer' });
  });

  it('says that nobody is there', async () => {
    // Port 1 of the loopback is nobody's.
    const answer = await pageAsker(systemClock)(new URL('http://127.0.0.1:1/'), 5_000);

    assert.deepEqual(answer, { kind: 'unreachable' });
  });
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { downloadProgram } from '../../tools/setup/download.mjs';

describe('download of a server', () => {
  let work: string;
  let into: string;
  let server: Server;
  let base: string;

  const download = (path: string) =>
    downloadProgram({ url: `${base}${path}`, program: 'temporal', into, onBytes: () => {} });

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'fixpoint-download-'));
    await mkdir(join(work, 'folder'));
    await writeFile(join(work, 'folder/temporal'), '#!/bin/sh\necho ok\n');
    await chmod(join(work, 'folder/temporal'), 0o644);
    execFileSync('tar', ['-czf', join(work, 'good.tar.gz'), '-C', work, 'folder']);
    await writeFile(join(work, 'folder/temporal'), '');
    server = createServer((request, response) => {
      if (request.url === '/moved') {
        response.writeHead(302, { location: '/good' }).end();
      } else if (request.url === '/good')
        createReadStream(join(work, 'good.tar.gz')).pipe(response);
      else if (request.url === '/half') {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('x', () => response.destroy());
      } else if (request.url === '/rubbish') response.end('rubbish');
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server's address is never a string.
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(async () => {
    into = await mkdtemp(join(work, 'into-'));
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(work, { recursive: true, force: true });
  });

  it('the program is taken out of the archive, executable, wherever it lies in it', async () => {
    assert.equal(await download('/moved'), null);

    assert.deepEqual(await readdir(into), ['temporal']);
    assert.match(await readFile(join(into, 'temporal'), 'utf8'), /echo ok/);
    assert.equal((await stat(join(into, 'temporal'))).mode & 0o777, 0o755);
  });

  for (const [path, why] of [
    ['/absent', /answered 404/],
    ['/half', /cannot be fetched/],
    ['/rubbish', /cannot be unpacked/],
  ] as const) {
    it(`${path} gives a reason and leaves nothing behind`, async () => {
      assert.match((await download(path)) ?? '', why);

      assert.deepEqual(await readdir(into), []);
    });
  }
});

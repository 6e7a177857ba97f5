import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePort } from '../../support/free-port.ts';

const module = join(import.meta.dirname, '../../support/free-port.ts');
// More than a block has, so that a second one is claimed. It lives until its parent has let it go.
const script = `
  const { freePort } = await import(process.argv[1]);
  const ports = [];
  for (let i = 0; i < 60; i++) ports.push(await freePort());
  process.send(ports);
  process.on('message', () => {}); // Holds the channel, and so the process.`;

describe('a port for a server of a test', () => {
  it('is given once among processes that ask at the same time', async () => {
    const processes = [1, 2, 3].map(() =>
      spawn(process.execPath, ['--input-type=module', '-e', script, module], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    const told = await Promise.all(processes.map((each) => once(each, 'message')));
    for (const each of processes) each.disconnect();

    const ports = told.flatMap(([ports]: number[][]) => ports ?? []);
    assert.deepEqual([ports.length, new Set(ports).size], [180, 180]);
    // Outgoing connections get theirs from 32,768 on, on Linux, and from 49,152 on, on macOS.
    assert.deepEqual(
      ports.filter((port) => port < 10_000 || port >= 20_000),
      [],
    );
  });

  it('is none on which somebody listens', async () => {
    const next = (await freePort()) + 1;
    const other = createServer().listen(next, '127.0.0.1');
    try {
      assert.notEqual(await freePort(), next);
    } finally {
      other.close();
    }
  });
});

// A program from an official archive. The archive is bounded in size and time, unpacked beside its
// place, and the caller tries the program before it is taken.

import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from './command.mjs';

const answerMs = 10_000;
const finishMs = 10 * 60_000;
const archiveBytes = 300 * 1024 * 1024;

/**
 * Fetches the .tar.gz at `url` and puts its file `program` at `into/program`, executable. Resolves
 * with null, or with a sentence that says why it did not work; never rejects.
 */
export async function downloadProgram({ url, program, into, onBytes }) {
  const work = await mkdtemp(join(into, '.download-'));
  try {
    const archive = join(work, 'archive.tar.gz');
    await fetchTo({ url, path: archive, onBytes });
    const unpacked = await run({
      command: 'tar',
      args: ['-xzf', archive, '-C', work],
      timeoutMs: 120_000,
    });
    if (unpacked.code !== 0) return `the archive of ${url} cannot be unpacked`;
    const found = (await readdir(work, { recursive: true, withFileTypes: true })).find(
      (entry) => entry.isFile() && entry.name === program,
    );
    if (!found) return `the archive of ${url} holds no ${program}`;
    await copyFile(join(found.parentPath ?? found.path, program), join(into, program));
    await chmod(join(into, program), 0o755);
    return null;
  } catch (error) {
    return `${url} cannot be fetched (${error.cause?.code ?? error.cause?.message ?? error.message})`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchTo({ url, path, onBytes }) {
  const abort = new AbortController();
  const whole = setTimeout(() => abort.abort(new Error('not finished within 10 min')), finishMs);
  const answer = setTimeout(() => abort.abort(new Error('no answer within 10 s')), answerMs);
  try {
    const response = await fetch(url, { signal: abort.signal, redirect: 'follow' });
    clearTimeout(answer);
    if (!response.ok || response.body === null) throw new Error(`answered ${response.status}`);
    let bytes = 0;
    const bound = new Transform({
      transform(chunk, _encoding, done) {
        bytes += chunk.length;
        onBytes(bytes);
        if (bytes > archiveBytes) done(new Error(`larger than ${archiveBytes} bytes`));
        else done(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(response.body), bound, createWriteStream(path));
  } finally {
    clearTimeout(answer);
    clearTimeout(whole);
  }
}

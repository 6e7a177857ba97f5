import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runFile as runFileSchema } from '../../contracts/run-file.ts';
import { startTimeOf } from '../../tools/setup/process.mjs';
import { anyMarkOf, markedProcesses } from '../../tools/start/ending.ts';
import { eventually } from '../support/eventually.ts';

const harness = fileURLToPath(new URL('../support/tiny-product.ts', import.meta.url));

// A zombie that nobody has reaped yet is no process any more.
const isAlive = (pid: number): boolean => startTimeOf(pid) !== null;

describe('processes of npm start', () => {
  let work: string;
  let state: string;
  let count = 0;
  let product: ChildProcess;
  let said: string;

  function start(): ChildProcess {
    said = '';
    const child = spawn(process.execPath, [harness, state], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        said += String(text);
      });
    }
    return child;
  }

  const runFile = () =>
    runFileSchema.parse(JSON.parse(readFileSync(join(state, 'run.json'), 'utf8')));
  const stray = () => Number(readFileSync(join(state, 'stray'), 'utf8'));
  const marked = () => markedProcesses(anyMarkOf(state));
  const ready = () => eventually(() => assert.match(said, /^ready$/m));

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'fixpoint-start-'));
  });
  beforeEach(async () => {
    count += 1;
    state = join(work, String(count));
    product = start();
    await ready();
    await eventually(() => assert.ok(isAlive(stray())));
  });
  afterEach(async () => {
    if (product.exitCode === null && product.signalCode === null) {
      product.kill('SIGTERM');
      await once(product, 'exit');
    }
  });
  after(() => rm(work, { recursive: true, force: true }));

  it('SIGTERM ends every part, also a deaf one and a stray child, with exit 0', async () => {
    const { pids } = runFile();
    const strayPid = stray();

    product.kill('SIGTERM');
    const [code]: unknown[] = await once(product, 'exit');

    assert.equal(code, 0);
    assert.deepEqual(Object.keys(pids).sort(), ['deaf', 'guard', 'parent', 'server', 'talker']);
    for (const pid of [...Object.values(pids), strayPid]) assert.equal(isAlive(pid), false);
    assert.deepEqual(marked(), []);
    assert.equal(existsSync(join(state, 'run.json')), false);
  });

  it('after kill -9 of the parent the guard ends everything it left', async () => {
    const { pids } = runFile();
    const strayPid = stray();

    product.kill('SIGKILL');
    await once(product, 'exit');

    await eventually(() => {
      for (const pid of [...Object.values(pids), strayPid]) assert.equal(isAlive(pid), false);
      assert.deepEqual(marked(), []);
    });
    assert.equal(existsSync(join(state, 'run.json')), false);
  });

  it('a part that dies is named with its last words, started again, and known by its new pid', async () => {
    const before = runFile().pids['talker'] ?? 0;

    process.kill(before, 'SIGKILL');

    await eventually(() => assert.match(said, /talker ended \(SIGKILL\); started again in 0.5 s/));
    assert.match(said, /the last words/);
    const now = await eventually(() => {
      const pid = runFile().pids['talker'];
      assert.ok(pid !== undefined && pid !== before && isAlive(pid));
      return pid;
    });
    assert.notEqual(now, before);
  });

  it('a second start beside a running one is refused and names it', async () => {
    const first = runFile().pid;

    const second = start();
    const [code]: unknown[] = await once(second, 'exit');

    assert.notEqual(code, 0);
    assert.match(said, new RegExp(`runs already in this clone \\(pid ${first}\\)`));
    assert.equal(runFile().pid, first);
  });

  it('the run file is for its owner only', async () => {
    const { mode } = await stat(join(state, 'run.json'));

    assert.equal(mode & 0o777, 0o600);
  });

  it('a run file of a dead process does not keep the next start from running', async () => {
    product.kill('SIGKILL');
    await once(product, 'exit');
    // The guard removes the file in the end; a start that is quicker takes it over.
    product = start();
    await ready();

    assert.equal(runFile().pid, product.pid);
    await eventually(() => assert.equal(marked().length >= 4, true));
  });
});

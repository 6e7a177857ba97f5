import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const clone = fileURLToPath(new URL('../..', import.meta.url));
const needed = ['sh', 'cat', 'test', 'dirname', 'env', 'tar', 'rm', 'tail', 'sleep', 'touch'];

/** A script that answers `--version` as the real program does. */
const redisScript = '#!/bin/sh\necho "Redis server v=7.0.15 sha=0"\n';
const temporalScript = '#!/bin/sh\necho "temporal version 1.8.2"\n';

type Ended = { code: number | null; said: string };

describe('set-up', () => {
  let work: string;
  let bin: string;

  /** Set-up of a small clone with its own PATH and cache; nothing outside `work` is touched. */
  function setUp(purpose: string, extra: Record<string, string> = {}): Promise<Ended> {
    const env = {
      PATH: bin,
      HOME: work,
      XDG_CACHE_HOME: join(work, 'cache'),
      FIXPOINT_SETUP_OFFLINE: '1',
      ...extra,
    };
    return new Promise((resolve) => {
      const argv = [join(work, 'clone/tools/setup.mjs'), purpose];
      const child = execFile(process.execPath, argv, { env }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, said: stdout + stderr }),
      );
    });
  }

  async function program(name: string, text: string): Promise<string> {
    const path = join(bin, name);
    await writeFile(path, text);
    await chmod(path, 0o755);
    return path;
  }

  /** A `go` that writes down each call and "builds" a Temporal that answers. */
  const goScript = () => `#!/bin/sh
echo "$@" >> "${work}/go-calls"
case "$1" in
  list) echo one; exit 0 ;;
  build)
    ${'while [ $# -gt 1 ]; do if [ "$1" = -o ]; then out=$2; fi; shift; done'}
    printf '%s\\n' '#!/bin/sh' 'echo temporal version 1.8.2' > "$out"
    chmod 755 "$out" ;;
esac
`;
  const goCalls = () => readFile(join(work, 'go-calls'), 'utf8').catch(() => '');
  const goBuilds = async () =>
    (await goCalls()).split('\n').filter((line) => line.startsWith('build')).length;

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'fixpoint-setup-'));
    bin = join(work, 'bin');
    const own = join(work, 'clone');
    await mkdir(join(own, 'node_modules/.bin'), { recursive: true });
    await mkdir(bin);
    await mkdir(join(own, 'tools/temporal'), { recursive: true });
    await symlink(join(clone, 'tools/setup'), join(own, 'tools/setup'));
    // A copy, not a link: set-up looks for its clone from its real path.
    await copyFile(join(clone, 'tools/setup.mjs'), join(own, 'tools/setup.mjs'));
    await writeFile(join(own, 'tools/temporal/go.mod'), 'module x\n');
    const lock = '{"lockfileVersion":3}';
    await writeFile(join(own, 'package-lock.json'), lock);
    await symlink(process.execPath, join(own, 'node_modules/.bin/node'));
    const digest = createHash('sha256').update(lock).digest('hex');
    await writeFile(join(own, 'node_modules/.fixpoint-lock-digest'), digest);
    for (const name of [...needed, 'chmod']) {
      for (const folder of ['/usr/bin', '/bin']) {
        if (existsSync(join(folder, name)) && !existsSync(join(bin, name))) {
          await symlink(join(folder, name), join(bin, name));
        }
      }
    }
  });
  after(() => rm(work, { recursive: true, force: true }));

  it('without any server it ends non-zero and names the fix of each', async () => {
    const ended = await setUp('test');

    assert.equal(ended.code, 1);
    assert.match(ended.said, /error: no Temporal server: .*no Go/);
    assert.match(ended.said, /fix: install the Temporal CLI .*TEMPORAL_CLI/);
    assert.match(ended.said, /error: no Redis server/);
    assert.match(ended.said, /fix: install Redis 7/);
    assert.match(ended.said, /error: no time-skipping Temporal server/);
    assert.match(ended.said, /fix: install a JDK/);
    assert.equal(existsSync(join(work, 'clone/.fixpoint/servers.json')), false);
  });

  it('servers on PATH are used and nothing is made', async () => {
    await program('temporal', temporalScript);
    await program('redis-server', redisScript);

    const ended = await setUp('start');

    assert.equal(ended.code, 0, ended.said);
    const servers = JSON.parse(
      await readFile(join(work, 'clone/.fixpoint/servers.json'), 'utf8'),
    ) as unknown;
    assert.deepEqual(servers, {
      temporalCli: join(bin, 'temporal'),
      redisServer: join(bin, 'redis-server'),
    });
    assert.deepEqual(await readdir(join(work, 'cache/fixpoint')), []);
    await rm(join(bin, 'temporal'));
  });

  it('two set-ups at once build once; a third finds the cache', async () => {
    await program('go', goScript());

    const ended = await Promise.all([setUp('start'), setUp('start')]);
    const calls = await goCalls();
    const third = await setUp('start');

    assert.deepEqual(
      ended.map(({ code }) => code),
      [0, 0],
      ended.map(({ said }) => said).join('\n'),
    );
    assert.equal(third.code, 0);
    assert.equal(await goBuilds(), 1);
    // Neither builds nor asks for a module: the cache is enough.
    assert.equal(await goCalls(), calls);
    assert.deepEqual(await readdir(join(work, 'cache/fixpoint')), ['temporal-cli-1.8.2']);
  });

  it('a cached server that was changed is thrown away and made again', async () => {
    const cached = join(work, 'cache/fixpoint/temporal-cli-1.8.2/temporal');
    await writeFile(cached, `${temporalScript}# changed\n`);

    const ended = await setUp('start');

    assert.equal(ended.code, 0, ended.said);
    assert.match(ended.said, /is not what was made there/);
    assert.equal(await goBuilds(), 2);
    assert.doesNotMatch(await readFile(cached, 'utf8'), /changed/);
  });

  it('a build that was killed half-way, and its lock, are cleared away by the next', async () => {
    const cache = join(work, 'cache/fixpoint');
    await rm(join(cache, 'temporal-cli-1.8.2'), { recursive: true });
    const half = join(cache, '.temporal-cli-1.8.2.999999999.abcd');
    await mkdir(half);
    await writeFile(join(half, 'temporal'), temporalScript);
    await mkdir(join(cache, 'temporal-cli-1.8.2.lock'));
    const owner = { pid: 999_999_999, startTime: '1', host: hostname(), token: 'dead' };
    await writeFile(join(cache, 'temporal-cli-1.8.2.lock/owner.json'), JSON.stringify(owner));

    const ended = await setUp('start');

    assert.equal(ended.code, 0, ended.said);
    assert.equal(await goBuilds(), 3);
    assert.deepEqual(await readdir(cache), ['temporal-cli-1.8.2']);
  });

  it('a build that fails leaves nothing in the cache and says what the compiler said', async () => {
    await rm(join(work, 'cache/fixpoint/temporal-cli-1.8.2'), { recursive: true });
    await program(
      'go',
      '#!/bin/sh\nif [ "$1" = build ]; then echo "no space left" >&2; exit 1; fi\n',
    );

    const ended = await setUp('start');

    assert.equal(ended.code, 1);
    assert.match(ended.said, /the build failed:\n\s+no space left/);
    assert.deepEqual(await readdir(join(work, 'cache/fixpoint')), []);
  });

  it('servers named by address need no set-up', async () => {
    const outer = { TEMPORAL_ADDRESS: '127.0.0.1:1', REDIS_URL: 'redis://127.0.0.1:1' };

    const ended = await setUp('start', outer);

    assert.deepEqual(ended, { code: 0, said: '' });
  });

  it('a named server that does not run is an error, never passed over', async () => {
    const ended = await setUp('start', { TEMPORAL_CLI: '/nowhere/temporal' });

    assert.equal(ended.code, 1);
    assert.match(ended.said, /TEMPORAL_CLI names \/nowhere\/temporal, which does not run/);
  });
});

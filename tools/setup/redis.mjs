// A real Redis, or Valkey, from the distribution.

import { lastLines, onPath, Problem, run } from './command.mjs';

const installMs = 10 * 60_000;

const managers = [
  {
    program: 'apt-get',
    before: ['update', '-qq'],
    install: ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'],
  },
  { program: 'dnf', install: ['install', '-y', '-q', 'valkey'] },
  { program: 'apk', install: ['add', '--quiet', 'redis'] },
];

/** The path of a Redis 7 (or Valkey) server: named, on PATH, or installed when we are root. */
export async function provideRedis({ env, task }) {
  if (env.REDIS_SERVER) {
    const fault = await faultOf(env.REDIS_SERVER);
    if (fault === null) return env.REDIS_SERVER;
    throw new Problem(
      `REDIS_SERVER names ${env.REDIS_SERVER}, which ${fault}`,
      'name a working Redis 7 or newer, or unset it',
    );
  }
  const found = await search(env);
  if (found.path !== null) return found.path;
  const failure = await installByManager(env, task);
  const installed = await search(env);
  if (installed.path !== null) return installed.path;
  throw new Problem(
    `no Redis server: ${found.fault}; ${failure}`,
    'install Redis 7 or newer (Debian, Ubuntu: sudo apt-get install redis-server), or set REDIS_SERVER to its path, or REDIS_URL for npm start',
  );
}

async function search(env) {
  let fault = 'neither redis-server nor valkey-server is on PATH';
  for (const name of ['redis-server', 'valkey-server']) {
    const path = onPath(name, env);
    if (path === null) continue;
    const wrong = await faultOf(path);
    if (wrong === null) return { path };
    fault = `${path} ${wrong}`;
  }
  return { path: null, fault };
}

/** Why the program at `path` will not do, or null. */
async function faultOf(path) {
  const { code, stdout } = await run({ command: path, args: ['--version'] });
  if (code !== 0) return 'does not run';
  const version = /v=(\d+)\./.exec(stdout);
  if (version === null) return 'is no Redis';
  return Number(version[1]) >= 7 ? null : `is version ${version[1]}; 7 is needed`;
}

async function installByManager(env, task) {
  if (env.FIXPOINT_SETUP_OFFLINE) return 'installing is forbidden by FIXPOINT_SETUP_OFFLINE';
  if (process.getuid?.() !== 0) return 'only root could install it';
  const manager = managers.find(({ program }) => onPath(program, env) !== null);
  if (!manager) return 'no known package manager to install it';
  task.now(`installing Redis by ${manager.program}`);
  // The runlevel keeps the distribution from starting a server of its own.
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const args of [manager.before, manager.install]) {
    if (!args) continue;
    const done = await run({ command: manager.program, args, env: quiet, timeoutMs: installMs });
    if (done.code !== 0) return `${manager.program} ${args[0]} failed:\n${lastLines(done.said)}`;
  }
  return `${manager.program} installed no usable one`;
}

// The packages of package-lock.json, by the user's own npm.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { lastLines, Problem, run } from './command.mjs';
import { withLock } from './lock.mjs';

const installMs = 15 * 60_000;

/** Installs what package-lock.json says, unless just that is installed already. */
export async function providePackages({ clone, env, task }) {
  const stamp = join(clone, 'node_modules', '.fixpoint-lock-digest');
  const digest = lockDigest(clone);
  if (!isInstalled(clone, stamp, digest)) {
    const lock = join(clone, '.fixpoint', 'packages.lock');
    mkdirSync(join(clone, '.fixpoint'), { recursive: true, mode: 0o700 });
    const waiting = (owner) => task.now(`packages: waiting for another set-up (pid ${owner.pid})`);
    await withLock(lock, waiting, async () => {
      if (isInstalled(clone, stamp, digest)) return;
      await install({ clone, env, task });
      writeFileSync(stamp, digest);
    });
  }
  linkCli(clone);
  return join(clone, 'node_modules');
}

const lockDigest = (clone) =>
  createHash('sha256')
    .update(readFileSync(join(clone, 'package-lock.json')))
    .digest('hex');

function isInstalled(clone, stamp, digest) {
  if (!existsSync(join(clone, 'node_modules', '.bin', 'node'))) return false;
  try {
    return readFileSync(stamp, 'utf8') === digest;
  } catch {
    return false;
  }
}

async function install({ clone, env, task }) {
  task.now('installing packages');
  // Run from `npm start`, npm would take the outer run's settings for its own arguments.
  const clean = Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^npm_(lifecycle|package|command|node)/.test(name)),
  );
  const npm = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const installed = await run({
    command: 'npm',
    args: npm,
    cwd: clone,
    env: clean,
    timeoutMs: installMs,
  });
  if (installed.code !== 0) {
    throw new Problem(
      `npm ci failed:\n${lastLines(installed.said, 12)}`,
      'run `npm ci` and repair what it names (registry, proxy, disk); then the same command again',
    );
  }
  await provideNode({ clone, env: clean, task });
}

/** Node 24 comes by an install script, which `ignore-scripts` or an npm that blocks them leaves out. */
async function provideNode({ clone, env, task }) {
  const node = join(clone, 'node_modules', '.bin', 'node');
  const works = async () => (await run({ command: node, args: ['--version'] })).code === 0;
  if (await works()) return;
  task.now('installing Node 24');
  const script = join(clone, 'node_modules', 'node', 'installArchSpecificPackage.js');
  const cwd = join(clone, 'node_modules', 'node');
  const made = await run({
    command: process.execPath,
    args: [script],
    cwd,
    env,
    timeoutMs: installMs,
  });
  if (made.code === 0 && (await works())) return;
  throw new Problem(
    `the package node@24 did not install:\n${lastLines(made.said)}`,
    'run `npm rebuild node --ignore-scripts=false`; then the same command again',
  );
}

/** Puts the command line beside those of the packages, where npx looks first. */
function linkCli(clone) {
  const target = join(clone, 'cli', 'main.ts');
  const link = join(clone, 'node_modules', '.bin', 'fixpoint');
  if (!existsSync(target)) return;
  chmodSync(target, 0o755);
  if (existsSync(link)) return;
  rmSync(link, { force: true });
  symlinkSync(join('..', '..', 'cli', 'main.ts'), link);
}

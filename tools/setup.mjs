#!/usr/bin/env node
// What a clone needs before anything of it can run: packages and servers. Plain JavaScript without
// a dependency, because it is the first file to run, on any Node from 20 on.
//
//   node tools/setup.mjs packages    packages only
//   node tools/setup.mjs start       and what `npm start` needs: Temporal, Redis
//   node tools/setup.mjs test        and what `npm test` needs: the time-skipping server too
//
// It is idempotent. Everything is made side by side; a part that cannot be had does not stop the
// others, so that what they made is there the next time. Where the servers are is written to
// `.fixpoint/servers.json`. FIXPOINT_SETUP_OFFLINE=1 forbids every download and every package
// manager; a build from source may still fetch its modules.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from './setup/cache.mjs';
import { Problem } from './setup/command.mjs';
import { providePackages } from './setup/packages.mjs';
import { Progress } from './setup/progress.mjs';
import { provideRedis } from './setup/redis.mjs';
import { provideTemporalCli } from './setup/temporal-cli.mjs';
import { provideTestServer } from './setup/test-server.mjs';

const clone = dirname(dirname(fileURLToPath(import.meta.url)));

const providers = {
  packages: { title: 'packages', provide: providePackages },
  temporalCli: { title: 'Temporal', provide: provideTemporalCli },
  redisServer: { title: 'Redis', provide: provideRedis },
  testServer: { title: 'time-skipping Temporal', provide: provideTestServer },
};

/** What a purpose needs. A server that is named by its address needs no set-up for `start`. */
function wantedFor(purpose, env) {
  if (purpose === 'packages') return ['packages'];
  if (purpose === 'test') return ['packages', 'temporalCli', 'redisServer', 'testServer'];
  const wanted = ['packages'];
  if (!env.TEMPORAL_ADDRESS) wanted.push('temporalCli');
  if (!env.REDIS_URL) wanted.push('redisServer');
  return wanted;
}

/** Keeps what an earlier purpose found, so that `npm start` does not make tests set up again. */
function recordServers(servers) {
  const directory = join(clone, '.fixpoint');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const known = knownServers(join(directory, 'servers.json'));
  const temporary = join(directory, `servers.json.${process.pid}`);
  writeFileSync(temporary, `${JSON.stringify({ ...known, ...servers }, null, 2)}\n`);
  renameSync(temporary, join(directory, 'servers.json'));
}

function knownServers(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {}; // The first set-up of this clone, or a file that was cut: both begin anew.
  }
}

async function provideAll(wanted, progress) {
  const found = {};
  const problems = [];
  const context = { clone, env: process.env, cache: cacheDirectory(process.env) };
  const tasks = wanted.map(async (key) => {
    const { title, provide } = providers[key];
    const task = progress.task(title);
    try {
      found[key] = await provide({ ...context, task });
      task.done();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      task.failed();
      problems.push(error);
    }
  });
  await Promise.all(tasks);
  return { found, problems };
}

async function main(purpose) {
  if (!['packages', 'start', 'test'].includes(purpose)) {
    process.stderr.write('usage: node tools/setup.mjs packages|start|test\n');
    return 2;
  }
  if (!existsSync(join(clone, 'package-lock.json'))) {
    process.stderr.write(`error: ${clone} holds no package-lock.json; run this in a clone\n`);
    return 1;
  }
  const progress = new Progress(process.stderr);
  const { found, problems } = await provideAll(wantedFor(purpose, process.env), progress);
  progress.end();
  for (const problem of problems) {
    process.stderr.write(`error: ${problem.message}\n  fix: ${problem.fix}\n`);
  }
  if (problems.length > 0) return 1;
  const { packages: _, ...servers } = found;
  if (purpose !== 'packages') recordServers(servers);
  return 0;
}

process.exitCode = await main(process.argv[2] ?? 'start');

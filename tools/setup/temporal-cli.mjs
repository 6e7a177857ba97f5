// The Temporal dev server: one binary with the server and its UI.

import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { entryState, makeEntry } from './cache.mjs';
import { lastLines, onPath, Problem, run } from './command.mjs';
import { downloadProgram } from './download.mjs';
import { withLock } from './lock.mjs';

const version = '1.8.2';
const packagePath = 'github.com/temporalio/cli/cmd/temporal';
const modulesMs = 15 * 60_000;
const compileMs = 50 * 60_000;

/** The path of a Temporal CLI that runs: named, on PATH, in the cache, downloaded, or built once. */
export async function provideTemporalCli({ clone, env, cache, task }) {
  if (env.TEMPORAL_CLI) {
    if (await runs(env.TEMPORAL_CLI)) return env.TEMPORAL_CLI;
    throw new Problem(
      `TEMPORAL_CLI names ${env.TEMPORAL_CLI}, which does not run`,
      'name a working Temporal CLI, or unset it',
    );
  }
  const installed = onPath('temporal', env);
  if (installed !== null && (await runs(installed))) return installed;
  const entry = join(cache, `temporal-cli-${version}`);
  const program = join(entry, 'temporal');
  if (await usable(entry, program, task)) return program;
  const waiting = (owner) => task.now(`Temporal: waiting for another set-up (pid ${owner.pid})`);
  await withLock(`${entry}.lock`, waiting, async () => {
    if (await usable(entry, program, task)) return;
    await makeEntry(entry, (directory) => make({ clone, env, task, directory }));
  });
  return program;
}

async function usable(entry, program, task) {
  const state = await entryState(entry);
  if (state === 'damaged') task.note(`${entry} is not what was made there: it is made again`);
  return state === 'whole' && (await runs(program));
}

const runs = async (path) => (await run({ command: path, args: ['--version'] })).code === 0;

async function make(of) {
  const program = join(of.directory, 'temporal');
  let failure = 'downloads are forbidden by FIXPOINT_SETUP_OFFLINE';
  if (!of.env.FIXPOINT_SETUP_OFFLINE) {
    failure = await downloadProgram({
      url: `https://temporal.download/cli/archive/v${version}?platform=${platform()}&arch=${architecture()}`,
      program: 'temporal',
      into: of.directory,
      onBytes: (bytes) =>
        of.task.now('downloading Temporal, once', `${Math.floor(bytes / 1e6)} MB`),
    });
    if (failure === null && (await runs(program))) return;
    failure ??= 'the downloaded Temporal does not run here';
  }
  await build({ ...of, program, failure });
}

const platform = () => (process.platform === 'darwin' ? 'darwin' : 'linux');
const architecture = () => (process.arch === 'arm64' ? 'arm64' : 'amd64');

async function build({ clone, env, task, directory, program, failure }) {
  const go = onPath('go', env);
  if (go === null) {
    throw new Problem(
      `no Temporal server: ${failure}, and there is no Go to build it`,
      'install the Temporal CLI (it is found on PATH or by TEMPORAL_CLI), or Go 1.26.8 or newer, or set TEMPORAL_ADDRESS for npm start',
    );
  }
  task.note(`${failure}; building Temporal ${version} from source`);
  const source = join(directory, 'source');
  await cp(join(clone, 'tools', 'temporal'), source, { recursive: true });
  const goEnv = await toolchain({ go, env, source });
  const packages = await listPackages({ go, goEnv, source, task });
  await compile({ go, goEnv, source, program, task, packages });
  await run({ command: 'rm', args: ['-rf', source] });
  if (await runs(program)) return;
  throw new Problem(
    'the Temporal server that was built does not run',
    'set TEMPORAL_CLI to a working one',
  );
}

/** The installed Go if it is new enough; else what the user's own settings say about fetching one. */
async function toolchain({ go, env, source }) {
  const local = { ...env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off' };
  const fits = await run({ command: go, args: ['list', '-m'], cwd: source, env: local });
  if (fits.code === 0) return local;
  const { GOTOOLCHAIN: _, ...rest } = local;
  return env.GOTOOLCHAIN ? { ...rest, GOTOOLCHAIN: env.GOTOOLCHAIN } : rest;
}

async function listPackages({ go, goEnv, source, task }) {
  task.now('building Temporal from source, once: fetching its modules');
  const args = ['list', '-deps', packagePath];
  const listed = await run({
    command: go,
    args,
    cwd: source,
    env: goEnv,
    timeoutMs: modulesMs,
    wholeOutput: true,
  });
  if (listed.code === 0) return listed.stdout.trim().split('\n').length;
  throw new Problem(
    `no Temporal server: its modules cannot be fetched:\n${lastLines(listed.said)}`,
    'give Go 1.26.8 or newer a module proxy it can reach (go env GOPROXY), or set TEMPORAL_CLI to a working Temporal CLI',
  );
}

async function compile({ go, goEnv, source, program, task, packages }) {
  const phase = 'building Temporal from source, once: compiling';
  task.now(phase);
  let compiled = 0;
  const setVersion = `-X github.com/temporalio/cli/internal/temporalcli.Version=${version}`;
  const args = [
    'build',
    '-v',
    '-trimpath',
    '-ldflags',
    `-s -w ${setVersion}`,
    '-o',
    program,
    packagePath,
  ];
  const onLine = () => {
    compiled += 1;
    task.now(phase, `${compiled} of at most ${packages} packages`);
  };
  const built = await run({
    command: go,
    args,
    cwd: source,
    env: goEnv,
    timeoutMs: compileMs,
    onLine,
  });
  if (built.code === 0) return;
  throw new Problem(
    `no Temporal server: the build failed:\n${lastLines(built.said)}`,
    'free 4 GB of disk and memory and try again, or set TEMPORAL_CLI to a working Temporal CLI',
  );
}

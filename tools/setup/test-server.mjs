// The time-skipping Temporal server, which only the tests need.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entryState, makeEntry } from './cache.mjs';
import { isExecutable, lastLines, onPath, Problem, run } from './command.mjs';
import { downloadProgram } from './download.mjs';
import { withLock } from './lock.mjs';

const version = '1.38.0';
const name = 'temporal-test-server';
const mavenMs = 15 * 60_000;

// `exec`, because whoever starts the server stops it by killing this very process.
const wrapper = `#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Xmx512m \\
  -cp "$here/lib/*" io.temporal.testserver.TestServer "$@"
`;

/** The path of a time-skipping server: named, in the cache, downloaded, or made by Maven once. */
export async function provideTestServer({ clone, env, cache, task }) {
  if (env.TEMPORAL_TEST_SERVER) {
    if (isExecutable(env.TEMPORAL_TEST_SERVER)) return env.TEMPORAL_TEST_SERVER;
    throw new Problem(
      `TEMPORAL_TEST_SERVER names ${env.TEMPORAL_TEST_SERVER}, which is no program`,
      'name a working time-skipping server, or unset it',
    );
  }
  const entry = join(cache, `${name}-${version}`);
  const program = join(entry, name);
  if (await usable({ entry, env, task })) return program;
  const waiting = (owner) =>
    task.now(`time-skipping Temporal: waiting for another set-up (pid ${owner.pid})`);
  await withLock(`${entry}.lock`, waiting, async () => {
    if (await usable({ entry, env, task })) return;
    await makeEntry(entry, (directory) => make({ clone, env, task, directory }));
  });
  return program;
}

async function usable({ entry, env, task }) {
  const state = await entryState(entry);
  if (state === 'damaged') task.note(`${entry} is not what was made there: it is made again`);
  if (state !== 'whole') return false;
  if ((await entryNeedsJava(entry)) && onPath('java', env) === null) {
    throw new Problem(
      'the time-skipping server in the cache needs Java, which is not on PATH',
      'install a JRE, 17 or newer',
    );
  }
  return true;
}

const entryNeedsJava = async (entry) =>
  (await run({ command: 'test', args: ['-d', join(entry, 'lib')] })).code === 0;

async function make(of) {
  let failure = 'downloads are forbidden by FIXPOINT_SETUP_OFFLINE';
  // The native server is built for this platform only.
  if (!of.env.FIXPOINT_SETUP_OFFLINE && process.platform === 'linux' && process.arch === 'x64') {
    failure = await downloadProgram({
      url: `https://github.com/temporalio/sdk-java/releases/download/v${version}/${name}_${version}_linux_amd64.tar.gz`,
      program: name,
      into: of.directory,
      onBytes: (bytes) =>
        of.task.now('downloading the time-skipping server, once', `${Math.floor(bytes / 1e6)} MB`),
    });
    // Without arguments it prints its usage and ends with 0.
    if (failure === null && (await run({ command: join(of.directory, name) })).code === 0) return;
    failure ??= 'the downloaded time-skipping server does not run here';
  }
  await makeByMaven({ ...of, failure });
}

async function makeByMaven({ clone, env, task, directory, failure }) {
  const maven = onPath('mvn', env);
  if (maven === null || onPath('java', env) === null) {
    throw new Problem(
      `no time-skipping Temporal server: ${failure}, and there is no JDK with Maven to make it`,
      'install a JDK (17 or newer) and Maven, or set TEMPORAL_TEST_SERVER to a working one',
    );
  }
  task.note(`${failure}; making the time-skipping server by Maven`);
  task.now('making the time-skipping server, once: fetching its jars');
  const lib = join(directory, 'lib');
  await mkdir(lib, { recursive: true });
  const pom = join(clone, 'tools', 'test-server', 'pom.xml');
  const args = [
    '-B',
    '-q',
    '-f',
    pom,
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${lib}`,
  ];
  const made = await run({ command: maven, args, env, timeoutMs: mavenMs });
  if (made.code !== 0) {
    throw new Problem(
      `no time-skipping Temporal server: its jars cannot be fetched:\n${lastLines(made.said)}`,
      'give Maven a repository it can reach (~/.m2/settings.xml), or set TEMPORAL_TEST_SERVER to a working one',
    );
  }
  await writeFile(join(directory, name), wrapper);
  await chmod(join(directory, name), 0o755);
  if ((await run({ command: join(directory, name), env })).code === 0) return;
  throw new Problem(
    'the time-skipping server that was made does not run',
    'install a JRE, 17 or newer',
  );
}

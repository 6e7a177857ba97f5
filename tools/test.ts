// Runs the suites one after another and ends with one line: `N passed, N failed`. It ends with 1
// when a test fails or is skipped, or when a server that the tests need is missing: nothing is
// left out silently.
//
//   node tools/test.ts [suite | file]...
//
// The suite `long` runs only when it is named (`npm run test:long`): it takes hours, not minutes.

import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { serverPathsForTests } from './test-servers.ts';

type Suite = {
  readonly name: string;
  readonly concurrency: number;
  readonly servers: boolean;
  /** All files in one process: they touch nothing that another one sees. */
  readonly shared?: true;
  /** Only when it is asked for by name, with a limit of its own. */
  readonly long?: true;
};

// Workflow tests mostly compute, and what needs servers of its own mostly waits for them: two and three
// files at a time take two cores. The chaos suite is one file, whose lanes fill them.
const suites: readonly Suite[] = [
  { name: 'unit', concurrency: 1, servers: false, shared: true },
  { name: 'contract', concurrency: 2, servers: false },
  { name: 'replay', concurrency: 1, servers: false },
  { name: 'workflow', concurrency: 2, servers: true },
  { name: 'integration', concurrency: 3, servers: true },
  { name: 'chaos', concurrency: 1, servers: true },
  { name: 'long', concurrency: 1, servers: true, long: true },
];

const fileTimeoutMs = 600_000;
const longFileTimeoutMs = 4 * 3_600_000;

type Count = { passed: number; failed: number; skipped: number };

type TestsStream = ReturnType<typeof run>;

async function runFiles(
  files: readonly string[],
  of: {
    readonly concurrency: number;
    readonly timeoutMs: number;
    readonly shared?: true | undefined;
  },
  count: Count,
) {
  const { concurrency, timeoutMs, shared } = of;
  const isolation = shared ? { isolation: 'none' as const } : { concurrency };
  const ending = new AbortController();
  const { signal } = ending;
  const stream = run({ files: [...files], timeout: timeoutMs, signal, ...isolation });
  if (!shared) endAfterSilence(stream, ending, timeoutMs);
  stream.on('test:pass', ({ skip, todo, details }) => {
    if (details.type === 'suite') return;
    if ((skip ?? false) !== false || (todo ?? false) !== false) count.skipped += 1;
    else count.passed += 1;
  });
  stream.on('test:fail', ({ details }) => {
    if (details.type !== 'suite') count.failed += 1;
  });
  const watch = shared ? setTimeout(endsNever, timeoutMs).unref() : undefined;
  for await (const text of stream.compose(spec)) process.stdout.write(String(text));
  clearTimeout(watch);
}

/**
 * Node's own limit is for each test, and none for a file whose tests have ended and left something that
 * keeps its process alive: the run ends, and such a file has failed, when nothing is heard for as long.
 */
function endAfterSilence(stream: TestsStream, ending: AbortController, ms: number): void {
  const error = new Error(
    `nothing was heard of its tests for ${ms / 1_000} s; its process lives on`,
  );
  const start = () => setTimeout(() => ending.abort(error), ms).unref();
  let timer = start();
  stream.on('data', () => {
    clearTimeout(timer);
    timer = start();
  });
}

/** A file in this process holds up all others, and cannot be ended without it. */
function endsNever(): never {
  process.stderr.write('error: a test that shares this process has ended and keeps it alive\n');
  process.exit(1);
}

/** Each file runs in a process of its own: what one compiled, and stripped of types, serves the others. */
function shareCompiledCode(): void {
  const cache = new URL('../node_modules/.cache/fixpoint/compiled', import.meta.url);
  process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(cache);
}

/** Settings of the person who runs the tests must not reach what is tested. */
function cleanEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    const isOurs = /^(FIXPOINT_|TEMPORAL_(?!CLI$|TEST_SERVER$)|REDIS_URL$)/.test(name);
    if (isOurs) delete process.env[name];
  }
}

async function main(selected: readonly string[]): Promise<number> {
  const isFile = (name: string) => name.endsWith('.ts');
  const chosen = selected.filter((name) => !isFile(name));
  const unknown = chosen.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`error: no suite ${unknown.join(', ')}\n`);
    return 2;
  }
  const wanted = suites.filter(({ name, long }) =>
    selected.length === 0 ? long !== true : chosen.includes(name),
  );
  const files = selected.filter(isFile);
  cleanEnvironment();
  shareCompiledCode();
  if (files.length > 0 || wanted.some(({ servers }) => servers)) {
    Object.assign(process.env, serverPathsForTests());
  }
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of wanted) {
    const found = globSync(`test/${suite.name}/**/*.test.ts`).sort();
    const timeoutMs = suite.long ? longFileTimeoutMs : fileTimeoutMs;
    const { concurrency, shared } = suite;
    if (found.length > 0) await runFiles(found, { concurrency, timeoutMs, shared }, count);
  }
  if (files.length > 0) {
    await runFiles(files, { concurrency: 1, timeoutMs: longFileTimeoutMs }, count);
  }
  const skipped = count.skipped === 0 ? '' : `, ${count.skipped} skipped`;
  process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`);
  return count.failed + count.skipped === 0 && count.passed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

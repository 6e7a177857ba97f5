import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from '@temporalio/client';
import type { Redis } from 'ioredis';
import { clone } from '../tools/start/layout.ts';

const run = promisify(execFile);

/** The machine that was measured on. Memory in MiB. */
export const machine = () => ({
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryMib: Math.round(totalmem() / 1024 / 1024),
  kernel: release(),
});

/** The 1, 5 and 15 minute load average. */
export const loadNow = (): readonly number[] =>
  loadavg().map((load) => Math.round(load * 100) / 100);

/** What was measured, in which versions. `commit` ends in `+` if the clone holds changes to programs. */
export const versions = async () => ({ node: process.version, commit: await commit() });

/** The same, with the servers that the loop runs on. */
export async function loopVersions(of: { readonly client: Client; readonly redis: Redis }) {
  const { serverVersion } = await of.client.workflowService.getSystemInfo({});
  const info = await of.redis.info('server');
  return {
    ...(await versions()),
    temporalServer: serverVersion ?? 'unknown',
    temporalSdk: sdkVersion(),
    redis: /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown',
  };
}

function sdkVersion(): string {
  const path = join(clone, 'node_modules', '@temporalio', 'client', 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version; // A package's own file.
}

/** Throws if this machine gives one process fewer than `count` file descriptors. */
export function requireDescriptors(count: number, what: string): void {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  const hard = line?.[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line?.[1]);
  if (hard >= count) return;
  throw new Error(
    `${what} would need ${count} file descriptors and may have ${hard} (ulimit -Hn): ask for fewer agents`,
  );
}

async function commit(): Promise<string> {
  try {
    const head = await run('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: clone });
    const changed = await run('git', ['status', '--porcelain', '--', ':!bench/results', ':!docs'], {
      cwd: clone,
    });
    return `${head.stdout.trim()}${changed.stdout.trim() === '' ? '' : '+'}`;
  } catch {
    // A copy without its history.
    return 'unknown';
  }
}

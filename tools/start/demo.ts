import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clone, type Layout } from './layout.ts';
import type { PartSpec } from './part.ts';

const cacheFiles = 40;
const program = join(clone, 'tools', 'demo-service.ts');

/** What a job finds in its environment on the host of one local agent. */
export function demoEnvironment(of: {
  readonly directory: string;
  readonly port: number;
}): Record<string, string> {
  return {
    DEMO_NODE: process.execPath,
    DEMO_SERVICE: program,
    DEMO_PORT: String(of.port),
    DEMO_DIR: of.directory,
  };
}

/**
 * The demo service of one agent. When it ends nobody but a repair starts it again, which is what
 * it is for.
 */
export function demoPart(of: {
  readonly agentName: string;
  readonly directory: string;
  readonly port: number;
  readonly layout: Layout;
  readonly env: Readonly<Record<string, string>>;
}): PartSpec {
  return {
    name: `demo of ${of.agentName}`,
    command: process.execPath,
    args: [program, 'run'],
    env: { ...of.env, ...demoEnvironment(of) },
    logFile: join(of.layout.logs, `demo-${of.agentName}.log`),
    answers: async () => (await fetch(`http://127.0.0.1:${of.port}/health`)).ok,
    readyWithinMs: 15_000,
    restart: false,
  };
}

/** Fills the demo's cache with small files, unless it holds some: something to clean up. */
export function fillCache(directory: string): void {
  const cache = join(directory, 'cache');
  mkdirSync(cache, { recursive: true });
  if (existsSync(cache) && readdirSync(cache).length >= cacheFiles) return;
  for (let number = 1; number <= cacheFiles; number += 1) {
    writeFileSync(join(cache, `page-${number}.html`), 'x'.repeat(4096));
  }
}

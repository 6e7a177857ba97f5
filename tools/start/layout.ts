import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone this file belongs to. */
export const clone = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where the embedded product keeps its things (names 1). All paths are absolute. */
export type Layout = {
  readonly state: string;
  readonly runFile: string;
  readonly logs: string;
  readonly secrets: string;
  readonly certificates: string;
  readonly redis: string;
  readonly temporalDatabase: string;
  readonly agent: (name: string) => string;
  readonly demo: (agentName: string) => string;
};

/** The layout below `state`; its folders are made, readable by the owner only. */
export function layoutAt(state: string): Layout {
  const layout: Layout = {
    state,
    runFile: join(state, 'run.json'),
    logs: join(state, 'logs'),
    secrets: join(state, 'secrets'),
    certificates: join(state, 'secrets', 'ca'),
    redis: join(state, 'redis'),
    temporalDatabase: join(state, 'temporal.db'),
    agent: (name) => join(state, 'agents', name),
    demo: (agentName) => join(state, 'demo', agentName),
  };
  for (const folder of [layout.logs, layout.certificates, layout.redis]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  return layout;
}

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The environment by which tests find the real servers. */
export type TestServers = {
  readonly REDIS_SERVER: string;
  readonly TEMPORAL_CLI: string;
  readonly TEMPORAL_TEST_SERVER: string;
};

/** What set-up wrote down. Throws if it has not run for the tests, or a server is gone since. */
export function serverPathsForTests(): TestServers {
  const file = fileURLToPath(new URL('../.fixpoint/servers.json', import.meta.url));
  // Written by set-up of this clone.
  const found = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string | undefined>)
    : {};
  const path = (key: string): string => {
    const value = found[key];
    if (value !== undefined && existsSync(value)) return value;
    throw new Error(`the tests need ${key}: run \`node tools/setup.mjs test\``);
  };
  return {
    REDIS_SERVER: path('redisServer'),
    TEMPORAL_CLI: path('temporalCli'),
    TEMPORAL_TEST_SERVER: path('testServer'),
  };
}

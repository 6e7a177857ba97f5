import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

type Servers = {
  readonly temporalCli?: string;
  readonly redisServer?: string;
  readonly testServer?: string;
};

/**
 * Where set-up found or made a server (`npm test` runs set-up first). Throws when it is not
 * there: a test without its server fails, it never skips.
 */
export function serverPath(name: keyof Servers): string {
  const file = fileURLToPath(new URL('../../.fixpoint/servers.json', import.meta.url));
  let servers: Servers;
  try {
    servers = JSON.parse(readFileSync(file, 'utf8')) as Servers; // Written by tools/setup.mjs.
  } catch {
    throw new Error(`${file} is not there; run \`node tools/setup.mjs test\` first`);
  }
  const path = servers[name];
  if (path === undefined)
    throw new Error(`set-up found no ${name}; run \`node tools/setup.mjs test\``);
  return path;
}

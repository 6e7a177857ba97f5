import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** An atomic step: a named Lua file of `redis/scripts`, whose header lists keys, arguments and answer. */
export type Script = (
  client: Redis,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
) => Promise<unknown>;

/**
 * The script `redis/scripts/{name}.lua`, sent by digest and by text when Redis does not know it.
 * A prelude is another file of that folder whose functions the script uses.
 */
export function script(name: string, prelude?: string): Script {
  const textOf = (file: string) =>
    readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8');
  const text = prelude === undefined ? textOf(name) : `${textOf(prelude)}\n${textOf(name)}`;
  const digest = createHash('sha1').update(text).digest('hex');
  return async (client, keys, args) => {
    try {
      return await client.evalsha(digest, keys.length, ...keys, ...args);
    } catch (error) {
      // A restarted Redis has forgotten its scripts; the code is Redis's own word for it.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(text, keys.length, ...keys, ...args);
    }
  };
}

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
 * Preludes are other files of that folder whose functions the script uses, each after those it uses.
 */
export function script(name: string, ...preludes: readonly string[]): Script {
  const textOf = (file: string) =>
    readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8');
  const text = [...preludes, name].map(textOf).join('\n');
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

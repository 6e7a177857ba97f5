import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import type { RunningProduct } from './product.ts';

/** Texts by the place they were found in: a Redis key, a workflow's run, a file, `npm start`. */
export type KeptTexts = Readonly<Record<string, string>>;

/** All that a running product keeps or has said, apart from the places where secrets belong. */
export async function keptTexts(product: RunningProduct): Promise<KeptTexts> {
  return {
    ...(await redisTexts(product)),
    ...(await historyTexts(product)),
    ...fileTexts(product),
    'what npm start said': product.output(),
  };
}

/** Everything in Redis, by key. */
async function redisTexts(product: RunningProduct): Promise<KeptTexts> {
  const client = new Redis(product.run().redis?.url ?? '');
  const texts: Record<string, string> = {};
  for (const key of await client.keys('*')) {
    // DUMP compresses long strings, so each kind is read as what it is.
    const read: Record<string, () => Promise<unknown>> = {
      string: () => client.get(key),
      hash: () => client.hgetall(key),
      list: () => client.lrange(key, 0, -1),
      zset: () => client.zrange(key, '0', '-1'),
      set: () => client.smembers(key),
      stream: () => client.xrange(key, '-', '+'),
    };
    const value = await read[await client.type(key)]?.();
    // A key may have expired since it was listed; a kind that is not read may not go unseen.
    if (value === undefined && (await client.exists(key)) === 1) throw new Error(`${key} is new`);
    texts[`redis ${key}`] = textOf(value);
  }
  client.disconnect();
  return texts;
}

/** Every event of every run of every workflow, payloads decoded. */
async function historyTexts(product: RunningProduct): Promise<KeptTexts> {
  const connection = await Connection.connect({ address: product.run().temporal.address });
  const client = new Client({ connection });
  const texts: Record<string, string> = {};
  for await (const { workflowId, runId } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts[`history ${workflowId} ${runId}`] = textOf(history.events);
  }
  await connection.close();
  return texts;
}

/** Names and values of whatever this is, bytes as the UTF-8 they hold: nothing is escaped or base64. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, part]) => `${name} ${textOf(part)}`)
    .join('\n');
}

/** Every file of the state folder, byte for byte, but those of the folders named `secrets`. */
function fileTexts(product: RunningProduct): KeptTexts {
  const texts: Record<string, string> = {};
  for (const file of readdirSync(product.state, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (!file.isFile() || /\/secrets\//.test(path)) continue;
    // The servers' databases are not UTF-8; what is looked for is ASCII, the same in both.
    texts[`file ${path.slice(product.state.length + 1)}`] = readFileSync(path, 'latin1');
  }
  return texts;
}

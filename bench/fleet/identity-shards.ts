import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KeyPair } from '../../agent-gateway/certificates.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SimulatedIdentity } from './identity.ts';
import type { IssueOrder } from './issue-process.ts';

const shardAgents = 500;
const processes = 2;
const leftMinMs = 2 * 3_600_000;
const issueProcess = fileURLToPath(new URL('./issue-process.ts', import.meta.url));

/**
 * Identities for `count` agents in files of 500: those that `directory` has not yet are issued, two
 * files at a time, about 175 identities a second and core. Tells how far it is. May be repeated.
 */
export async function issueShards(of: {
  readonly directory: string;
  readonly authority: KeyPair;
  readonly prefix: string;
  readonly count: number;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}): Promise<readonly string[]> {
  mkdirSync(of.directory, { recursive: true, mode: 0o700 });
  const orders = Array.from({ length: Math.ceil(of.count / shardAgents) }, (_, index) => ({
    authority: of.authority,
    prefix: of.prefix,
    from: index * shardAgents + 1,
    count: Math.min(shardAgents, of.count - index * shardAgents),
    file: join(of.directory, `agents-${String(index).padStart(3, '0')}.jsonl`),
  }));
  const missing = orders.filter((order) => !isFresh(order, of.clock.now()));
  const waiting = missing.values();
  let done = 0;
  const lane = async () => {
    for (const order of waiting) {
      await issueShard(order);
      done += order.count;
      of.say(`issued ${done} of ${sumOf(missing)} identities`);
    }
  };
  await Promise.all(Array.from({ length: processes }, lane));
  return orders.map(({ file }) => file);
}

/** The first `count` identities of `shards`, from the `from`th on. */
export function readIdentities(
  shards: readonly string[],
  of: { readonly from: number; readonly count: number },
): readonly SimulatedIdentity[] {
  const first = Math.floor(of.from / shardAgents);
  const last = Math.ceil((of.from + of.count) / shardAgents);
  const rows = shards.slice(first, last).flatMap(readShard);
  const skipped = of.from - first * shardAgents;
  return rows.slice(skipped, skipped + of.count);
}

function readShard(file: string): readonly SimulatedIdentity[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as SimulatedIdentity); // Our own issue process.
}

async function issueShard(order: IssueOrder): Promise<void> {
  const child = fork(issueProcess);
  child.send(order);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error('identities could not be issued');
}

/** Whether the shard has as many as are wanted, for long enough. */
function isFresh({ file, count }: IssueOrder, now: number): boolean {
  if (!existsSync(file)) return false;
  const identities = readShard(file);
  const [first] = identities;
  return (
    first !== undefined && identities.length >= count && first.record.notAfter - now > leftMinMs
  );
}

const sumOf = (orders: readonly IssueOrder[]): number =>
  orders.reduce((sum, { count }) => sum + count, 0);

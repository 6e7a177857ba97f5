import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { Clock } from '../platform/clock.ts';
import { connectRedis } from '../redis/connect.ts';
import { clone } from '../tools/start/layout.ts';
import { serverPaths } from '../tools/start/servers.ts';

const upWithinMs = 10_000;

/** A private Redis with the settings of the embedded product: on disk before it is answered. */
export class BenchRedis {
  readonly url: string;
  readonly pid: number;
  readonly client: Redis;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    this.pid = child.pid ?? 0;
    this.client = connectRedis({ url, profile: 'background', onError: () => {} });
  }

  /** `directory` must be there and empty. Throws if it does not answer in time. */
  static async start(of: {
    readonly clock: Clock;
    readonly directory: string;
    readonly port: number;
  }): Promise<BenchRedis> {
    const { redisServer } = serverPaths(join(clone, '.fixpoint'));
    if (redisServer === undefined) throw new Error('set-up found no Redis');
    const settings = {
      bind: '127.0.0.1',
      port: String(of.port),
      dir: of.directory,
      appendonly: 'yes',
      appendfsync: 'always',
      save: '',
      'maxmemory-policy': 'noeviction',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn(redisServer, flags, { stdio: 'ignore' });
    const redis = new BenchRedis(child, `redis://127.0.0.1:${of.port}`);
    const until = of.clock.monotonic() + upWithinMs;
    while (!(await answers(redis.client))) {
      if (of.clock.monotonic() > until) {
        await redis.stop();
        throw new Error('Redis does not answer');
      }
      await of.clock.sleep(50);
    }
    return redis;
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}

/** Whether it is up; what keeps it from answering shows when it stays so. */
async function answers(redis: Redis): Promise<boolean> {
  try {
    return (await redis.ping()) === 'PONG';
  } catch {
    return false;
  }
}

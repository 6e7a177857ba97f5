import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { serverPath } from './server-path.ts';
import { ServerProcess } from './server-process.ts';

/** A private Redis as the embedded product runs it: every write is on disk before it is answered. */
export type RedisServer = {
  readonly url: string;
  pause(): void;
  resume(): void;
  /** As a power cut; what was answered is on disk. */
  kill(): Promise<void>;
  /** Takes its data away while it does not run, as a lost disk. */
  lose(): Promise<void>;
  /** Starts it again with its data, on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

export async function startRedis(): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'fixpoint-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir: directory,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const server = new ServerProcess(
    serverPath('redisServer'),
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  );
  const start = async () => {
    server.start();
    await eventually(() => answers(url));
  };
  await start();
  return {
    url,
    pause: () => server.pause(),
    resume: () => server.resume(),
    kill: () => server.end('SIGKILL'),
    async lose() {
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory);
    },
    restart: start,
    async stop() {
      await server.end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {}); // The command's own rejection is what is waited for.
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}

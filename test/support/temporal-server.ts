import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { temporalArguments } from '../../tools/start/servers.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { serverPath } from './server-path.ts';
import { ServerProcess } from './server-process.ts';

/** A private Temporal dev server with the flags and search attributes of the embedded product. */
export type TemporalServer = {
  readonly address: string;
  readonly namespace: string;
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
  /** Starts it again with its data, on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

const startMs = 60_000;

export async function startTemporal(): Promise<TemporalServer> {
  const directory = await mkdtemp(join(tmpdir(), 'fixpoint-temporal-'));
  const port = await freePort();
  const uiPort = await freePort();
  const address = `127.0.0.1:${port}`;
  const server = new ServerProcess(
    serverPath('temporalCli'),
    temporalArguments({ port, uiPort, database: join(directory, 'temporal.db') }),
  );
  const start = async () => {
    server.start();
    await eventually(() => answers(address), { withinMs: startMs, everyMs: 200 });
  };
  await start();
  return {
    address,
    namespace: 'default',
    pause: () => server.pause(),
    resume: () => server.resume(),
    kill: () => server.end('SIGKILL'),
    restart: start,
    async stop() {
      await server.end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 2_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace: 'default' });
  } finally {
    await connection.close();
  }
}

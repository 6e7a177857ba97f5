import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { searchAttributes } from '../../contracts/temporal.ts';
import { StartFailure } from './failure.ts';
import type { Layout } from './layout.ts';
import type { PartSpec } from './part.ts';
import type { Ports } from './ports.ts';

/** Where set-up found or made the servers. */
export type ServerPaths = { readonly redisServer: string; readonly temporalCli: string };

/** What `tools/setup.mjs` wrote to `servers.json`. Throws a `StartFailure` when it has not run. */
export function serverPaths(state: string): Partial<ServerPaths> {
  try {
    // Written by set-up of this clone, just before.
    return JSON.parse(readFileSync(join(state, 'servers.json'), 'utf8')) as Partial<ServerPaths>;
  } catch {
    throw new StartFailure('set-up has not run', 'start by `npm start`, which runs it first');
  }
}

type ServerContext = {
  readonly layout: Layout;
  readonly ports: Ports;
  readonly env: Readonly<Record<string, string>>;
};

/** A Redis of our own: every accepted alert is on disk before it is answered (invariant 1). */
export function redisPart(context: ServerContext, program: string): PartSpec {
  const { layout, ports, env } = context;
  const settings = {
    bind: '127.0.0.1',
    port: String(ports.redis),
    dir: layout.redis,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  return {
    name: 'redis',
    command: program,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    env,
    logFile: join(layout.logs, 'redis.log'),
    answers: () => redisAnswers(ports.redis),
    readyWithinMs: 30_000,
    restart: true,
  };
}

function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (data) => {
      resolve(data.toString().startsWith('+PONG'));
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(false));
  });
}

// Out of the box each hop waits about 40 ms, because one shard polls its queues 20 times a second
// (design 7: 349 ms for three activities, 109 ms with these).
const temporalTuning = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'history.visibilityProcessorMaxPollRPS=5000',
  'system.enableActivityEagerExecution=true',
];

/** The flags of a Temporal dev server for Fixpoint; its data survive restarts in `database`. */
export function temporalArguments(of: {
  readonly port: number;
  readonly uiPort: number;
  readonly database: string;
}): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--ui-ip', '127.0.0.1'],
    ...['--port', String(of.port), '--ui-port', String(of.uiPort), '--ui-disable-news-fetch'],
    ...['--db-filename', of.database],
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
    ...['--log-level', 'error', '--color', 'never'],
    ...temporalTuning.flatMap((value) => ['--dynamic-config-value', value]),
    ...Object.entries(searchAttributes).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
  ];
}

/** The Temporal dev server with its UI. */
export function temporalPart(
  context: ServerContext,
  program: string,
  answers: () => Promise<boolean>,
): PartSpec {
  const { layout, ports, env } = context;
  return {
    name: 'temporal',
    command: program,
    args: temporalArguments({
      port: ports.temporal,
      uiPort: ports.temporalUi,
      database: layout.temporalDatabase,
    }),
    env,
    logFile: join(layout.logs, 'temporal.log'),
    answers,
    readyWithinMs: 60_000,
    restart: true,
  };
}

#!/usr/bin/env node
// The demo of `npm start`: a small HTTP service, one beside each local agent, for people to break.
// Settings come from the host (`jobEnvironment` of agent.yaml): DEMO_PORT, DEMO_DIR.
//
//   run      serves in the foreground
//   start    makes sure that one runs, detached; harmless when one answers already
//   check    ends with 0 if it answers, else with 1

import { spawn } from 'node:child_process';
import { mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../platform/clock.ts';

type Demo = { readonly port: number; readonly directory: string };

const startMs = 10_000;

function demoFrom(env: NodeJS.ProcessEnv): Demo {
  const port = Number(env['DEMO_PORT']);
  const directory = env['DEMO_DIR'];
  if (!Number.isInteger(port) || port < 1 || directory === undefined) {
    throw new Error('DEMO_PORT and DEMO_DIR must be set on this host');
  }
  return { port, directory };
}

/** The pid of the service that answers, or null. */
async function answering(demo: Demo): Promise<number | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${demo.port}/health`, {
      signal: AbortSignal.timeout(1_000),
    });
    const body: unknown = await answer.json();
    const isHealthy = answer.ok && typeof body === 'object' && body !== null && 'pid' in body;
    return isHealthy ? Number(body.pid) : null;
  } catch {
    return null;
  }
}

function serve(demo: Demo): void {
  mkdirSync(demo.directory, { recursive: true });
  const pidFile = join(demo.directory, 'service.pid');
  const server = createServer((request, response) => {
    const isHealth = request.url === '/health';
    response.writeHead(isHealth ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isHealth ? { status: 'ok', pid: process.pid } : {}));
  });
  // The port is the lock: a second service fails here and leaves the pid file alone.
  server.listen(demo.port, '127.0.0.1', () => writeFileSync(pidFile, `${process.pid}\n`));
  process.on('SIGTERM', () => {
    rmSync(pidFile, { force: true });
    process.exit(0);
  });
}

async function start(demo: Demo): Promise<number> {
  const running = await answering(demo);
  if (running !== null) {
    process.stdout.write(`the demo service answers already, pid ${running}\n`);
    return 0;
  }
  mkdirSync(demo.directory, { recursive: true });
  const log = openSync(join(demo.directory, 'service.log'), 'a');
  // Detached and with its own files, so that it outlives the job that starts it.
  spawn(process.execPath, [fileURLToPath(import.meta.url), 'run'], {
    detached: true,
    stdio: ['ignore', log, log],
  }).unref();
  const until = systemClock.monotonic() + startMs;
  while (systemClock.monotonic() < until) {
    const pid = await answering(demo);
    if (pid !== null) {
      process.stdout.write(`the demo service was started, pid ${pid}\n`);
      return 0;
    }
    await systemClock.sleep(100);
  }
  process.stderr.write(`the demo service does not answer on port ${demo.port}\n`);
  return 1;
}

async function check(demo: Demo): Promise<number> {
  const pid = await answering(demo);
  process.stdout.write(pid === null ? 'no answer\n' : `answers, pid ${pid}\n`);
  return pid === null ? 1 : 0;
}

const command = process.argv[2];
const demo = demoFrom(process.env);
if (command === 'run') serve(demo);
else if (command === 'start') process.exitCode = await start(demo);
else if (command === 'check') process.exitCode = await check(demo);
else process.exitCode = 2;

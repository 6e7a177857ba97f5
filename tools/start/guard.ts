// The guard of an embedded product: a process of its own that holds a pipe from `npm start`. When
// the pipe closes without a word, the parent has died (kill -9, out of memory) and everything that
// it started is ended, so that nothing is left behind and no port stays taken.
//
//   node tools/start/guard.ts <mark of the parent's processes> <run file> <pid of the parent>

import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../platform/clock.ts';
import { endMarked, endProcesses, type Identified } from './ending.ts';
import { readRunFile } from './run-file.ts';

/** What the parent says, one JSON value a line. */
type GuardLine =
  | { readonly kind: 'started'; readonly process: Identified }
  | { readonly kind: 'ended'; readonly pid: number }
  | { readonly kind: 'bye' };

const programsGraceMs = 3_000;

type Guarded = { readonly mark: string; readonly runFile: string; readonly parent: number };

async function guard(of: Guarded): Promise<void> {
  const watched = new Map<number, Identified>();
  let saidBye = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  for await (const line of createInterface({ input: process.stdin })) {
    // Only our own parent writes here.
    const heard = JSON.parse(line) as GuardLine;
    if (heard.kind === 'started') watched.set(heard.process.pid, heard.process);
    else if (heard.kind === 'ended') watched.delete(heard.pid);
    else saidBye = true;
  }
  if (saidBye) return;
  await endProcesses(systemClock, [...watched.values()], programsGraceMs);
  await endMarked(systemClock, of.mark, { graceMs: 500 });
  // Another `npm start` may have taken over meanwhile: its run file is not ours to remove.
  if (readRunFile(of.runFile)?.pid === of.parent) rmSync(of.runFile, { force: true });
}

const [mark, runFile, parent] = process.argv.slice(2);
if (mark === undefined || runFile === undefined) process.exitCode = 2;
else await guard({ mark, runFile, parent: Number(parent) });

#!/usr/bin/env node
import { systemClock } from '../platform/clock.ts';
import { processEnvironment } from '../platform/config.ts';
import { exits } from './outcome.ts';
import { runCli } from './program.ts';
import { processTerminal } from './terminal.ts';

const environment = processEnvironment();
const interruption = new AbortController();
process.on('SIGINT', () => {
  if (interruption.signal.aborted) process.exit(exits.interrupted);
  interruption.abort();
});
// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exits.ok : exits.failed);
});

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: processTerminal(environment),
  clock: systemClock,
  environment,
  cwd: process.cwd(),
  interrupted: interruption.signal,
});

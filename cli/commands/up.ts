import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { exits } from '../outcome.ts';
import type { CliDeps } from '../session.ts';

const tool = (name: string): string =>
  fileURLToPath(new URL(`../../tools/${name}`, import.meta.url));

/** `fixpoint up`: the same as `npm start`, in the foreground, until Ctrl-C. */
export function upCommand(deps: CliDeps): Command {
  return new Command('up')
    .description('set up what is missing and run everything on this machine, as `npm start` does')
    .action(async () => {
      const prepared = await run(deps, [tool('setup.mjs'), 'start']);
      deps.setExit(prepared === 0 ? await run(deps, [tool('start.ts')]) : prepared);
    });
}

/** Ctrl-C reaches the child by the terminal; a TERM to us is handed on. */
async function run(deps: CliDeps, argv: readonly string[]): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, argv, { stdio: 'inherit' });
  const handOn = () => void child.kill('SIGTERM');
  process.on('SIGTERM', handOn);
  try {
    const [code]: unknown[] = await once(child, 'exit');
    if (typeof code === 'number') return code;
    return deps.interrupted.aborted ? exits.interrupted : exits.failed;
  } finally {
    process.off('SIGTERM', handOn);
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { z } from 'zod';
import { FixpointError } from '../../domain/errors.ts';
import { findStateDir, readRunFile } from '../connection.ts';
import { exits } from '../outcome.ts';
import { printListing } from '../output.ts';
import { type CliDeps, countOf, examples, outputOption } from '../session.ts';

const replayed = z.object({
  id: z.string(),
  runId: z.string(),
  type: z.string(),
  result: z.enum(['goes on', 'differs', 'failed']),
  detail: z.string().nullable(),
});
type Replayed = z.infer<typeof replayed>;

const limitDefault = 200;
const tool = fileURLToPath(new URL('../../tools/replay-open.ts', import.meta.url));

/** `fixpoint workflow …`: what a new version would make of runs that are under way. */
export function workflowCommand(deps: CliDeps): Command {
  const workflow = new Command('workflow').description('runs in Temporal, before an upgrade');
  workflow
    .command('replay-open')
    .description(
      'replay open runs on the workflows of this clone; ends with 1 if one would not go on',
    )
    .option('--limit <count>', 'at most this many, 1 to 1000', countOf, limitDefault)
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint workflow replay-open --limit 200'))
    .action(async (options: { limit: number; output: 'table' | 'json' }) => {
      const rows = await replayOpen(deps, options.limit);
      printListing(deps.terminal, {
        format: options.output,
        rows: rows.map((row) => ({ ...row, state: row.result })),
        header: ['WORKFLOW', 'TYPE', 'REPLAY', 'WHY NOT'],
        cells: (row) => [row.id, row.type, row.result, row.detail ?? ''],
        empty: 'no run is open',
      });
      if (rows.some(({ result }) => result !== 'goes on')) deps.setExit(exits.failed);
    });
  return workflow;
}

/** Temporal is found as workers find it, else where `npm start` left it. */
async function replayOpen(deps: CliDeps, limit: number): Promise<readonly Replayed[]> {
  const stateDir = findStateDir(deps);
  const run = stateDir === null ? null : readRunFile(stateDir);
  const own = run === null ? {} : { TEMPORAL_ADDRESS: run.temporal.address };
  const child = spawn(process.execPath, [tool, '--limit', String(limit)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...own, ...deps.environment },
    signal: deps.interrupted,
  });
  const ended = once(child, 'exit');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status]: unknown[] = await ended;
  if (status === 0 || status === 1) {
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => replayed.parse(JSON.parse(line)));
  }
  throw new FixpointError('upstream_unavailable', `open runs cannot be read: ${lastLineOf(err)}`, {
    hint: 'name Temporal with TEMPORAL_ADDRESS, as workers have it',
  });
}

const lastLineOf = (told: string): string => told.trim().split('\n').at(-1) ?? '';

import { Command } from 'commander';
import { z } from 'zod';
import { controlState } from '../answers.ts';
import { fieldsOf } from '../output.ts';
import { plainJson } from '../plain-text.ts';
import { type CliDeps, examples, outputOption, serversOf } from '../session.ts';

/** `fixpoint control …`: the kill switch. Running jobs end by themselves; nothing new starts within 10 s. */
export function controlCommand(deps: CliDeps): Command {
  const control = new Command('control').description('the kill switch for everything that starts');
  control
    .command('show')
    .description('show whether repairs may start')
    .addOption(outputOption())
    .action(async (options, command: Command) => {
      print(
        deps,
        options.output,
        await serversOf(deps, command).api.get('/v1/control', controlState),
      );
    });
  control
    .command('stop')
    .description('let nothing start on any host, from within 10 s until `allow`')
    .requiredOption('--reason <text>', 'why; it is kept in the audit log')
    .option('--by <name>', 'who you are; recorded as claimed')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint control stop --reason "rack c is on fire"'))
    .action((options, command: Command) => change({ deps, command, stopped: true, options }));
  control
    .command('allow')
    .description('let repairs start again')
    .option('--reason <text>', 'why; it is kept in the audit log', '')
    .option('--by <name>', 'who you are; recorded as claimed')
    .addOption(outputOption())
    .action((options, command: Command) => change({ deps, command, stopped: false, options }));
  return control;
}

async function change(of: {
  readonly deps: CliDeps;
  readonly command: Command;
  readonly stopped: boolean;
  readonly options: { readonly reason: string; readonly by?: string; readonly output: string };
}): Promise<void> {
  const { api } = serversOf(of.deps, of.command);
  await api.send(
    {
      method: 'PUT',
      path: '/v1/control',
      body: {
        stopped: of.stopped,
        reason: of.options.reason,
        ...(of.options.by === undefined ? {} : { operator_name: of.options.by }),
      },
    },
    z.unknown(),
  );
  print(of.deps, of.options.output, await api.get('/v1/control', controlState));
}

function print(deps: CliDeps, format: string, state: z.infer<typeof controlState>): void {
  if (format === 'json') deps.terminal.out(`${plainJson(state)}\n`);
  else
    deps.terminal.out(
      fieldsOf([
        [
          'state',
          state.stopped ? 'stopped: nothing starts on any host' : 'allowed: repairs may start',
        ],
        ['reason', state.reason],
        ['by', state.by],
        ['since', state.at === 0 ? null : new Date(state.at).toISOString()],
        [
          'locked',
          state.locked.map(({ agentId, reason }) => `${agentId} (${reason})`).join(', ') || null,
        ],
        ['revision', String(state.revision)],
      ]),
    );
}

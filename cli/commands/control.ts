import { Command, Option } from 'commander';
import { z } from 'zod';
import { FixpointError } from '../../domain/errors.ts';
import { scopeText } from '../../domain/stop-scope.ts';
import { controlState } from '../answers.ts';
import { fieldsOf, tableOf } from '../output.ts';
import { plainJson } from '../plain-text.ts';
import { byOption, type CliDeps, examples, outputOption, serversOf } from '../session.ts';
import { controlBreakerCommand } from './control-breaker.ts';

/** `fixpoint control …`: the kill switch. Running jobs end by themselves; nothing new starts within 10 s. */
export function controlCommand(deps: CliDeps): Command {
  const control = new Command('control').description('the kill switch, for everything or a part');
  control
    .command('show')
    .description('show what may start and what is stopped, by whom and why')
    .addOption(outputOption())
    .action(async (options, command: Command) => {
      print(
        deps,
        options.output,
        await serversOf(deps, command).api.get('/v1/control', controlState),
      );
    });
  scoped(control.command('stop'))
    .description('let nothing start, from within 10 s until `allow`')
    .addHelpText(
      'after',
      examples(
        'fixpoint control stop --reason "rack c is on fire"',
        'fixpoint control stop --policy restart-web --reason "it makes things worse"',
        'fixpoint control stop --domain zone=eu-1 --reason "power works"',
      ),
    )
    .action((options, command: Command) => change({ deps, command, stopped: true, options }));
  scoped(control.command('allow'))
    .description('let repairs start again: everything, or what was stopped by itself')
    .addHelpText('after', examples('fixpoint control allow --policy restart-web --reason fixed'))
    .action((options, command: Command) => change({ deps, command, stopped: false, options }));
  control.addCommand(controlBreakerCommand(deps));
  return control;
}

/** Of these one at most; none is `--all`. */
function scoped(command: Command): Command {
  return command
    .addOption(
      new Option('--policy <name>', 'only the repairs of this policy').conflicts(['domain', 'all']),
    )
    .addOption(
      new Option('--domain <label=value>', 'only hosts with this label').conflicts(['all']),
    )
    .option('--all', 'everything, on every host (the default)')
    .requiredOption('--reason <text>', 'why; it is shown, and kept in the audit log')
    .addOption(byOption())
    .addOption(outputOption());
}

type ChangeOptions = {
  readonly reason: string;
  readonly policy?: string;
  readonly domain?: string;
  readonly by?: string;
  readonly output: string;
};

async function change(of: {
  readonly deps: CliDeps;
  readonly command: Command;
  readonly stopped: boolean;
  readonly options: ChangeOptions;
}): Promise<void> {
  const { reason, policy, domain, by, output } = of.options;
  if (reason.trim() === '') {
    throw new FixpointError('invalid_payload', '--reason must say why');
  }
  const { api } = serversOf(of.deps, of.command);
  await api.send(
    {
      method: 'PUT',
      path: '/v1/control',
      body: {
        ...{ stopped: of.stopped, reason },
        ...(policy === undefined ? {} : { policy }),
        ...(domain === undefined ? {} : { domain }),
        ...(by === undefined ? {} : { operator_name: by }),
      },
    },
    z.unknown(),
  );
  print(of.deps, output, await api.get('/v1/control', controlState));
}

type State = z.infer<typeof controlState>;

function print({ terminal }: CliDeps, format: string, state: State): void {
  if (format === 'json') {
    terminal.out(`${plainJson(state)}\n`);
    return;
  }
  const { stops } = state;
  const but = stops.length === 0 ? '' : ', but for what is stopped below';
  terminal.out(
    fieldsOf([
      [
        'state',
        state.stopped ? 'stopped: nothing starts on any host' : `allowed: repairs may start${but}`,
      ],
      ['reason', state.reason],
      ['by', state.by],
      ['since', timeOf(state.at)],
      [
        'locked',
        state.locked.map(({ agentId, reason }) => `${agentId} (${reason})`).join(', ') || null,
      ],
      ['breakers', state.breakers.map(breakerText).join('; ') || null],
      ['revision', String(state.revision)],
    ]),
  );
  if (stops.length === 0) return;
  terminal.out(
    `\n${tableOf(
      ['STOPPED', 'BY', 'SINCE', 'WHY'],
      stops.map(({ scope, by, at, reason }) => [scopeText(scope), by, timeOf(at) ?? '', reason]),
    )}`,
  );
}

const timeOf = (at: number): string | null => (at === 0 ? null : new Date(at).toISOString());

type ShownBreaker = z.infer<typeof controlState>['breakers'][number];

const breakerText = ({ policy, by, reason, untilMs }: ShownBreaker): string =>
  `${policy} until ${new Date(untilMs).toISOString()}, opened by ${by} (${reason})`;

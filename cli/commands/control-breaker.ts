import { Command } from 'commander';
import { z } from 'zod';
import { type BreakerPhase, breakerPhase } from '../../domain/breaker.ts';
import { controlState } from '../answers.ts';
import { printListing } from '../output.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import {
  byOption,
  type CliDeps,
  durationOf,
  examples,
  outputOption,
  serversOf,
} from '../session.ts';

type Shown = z.infer<typeof controlState>['breakers'][number];
type Row = Omit<Shown, 'policy'> & { readonly id: string; readonly state: BreakerPhase };

/** `fixpoint control breaker …`: policies that may start no repair because theirs did not help. */
export function controlBreakerCommand(deps: CliDeps): Command {
  const breaker = new Command('breaker').description(
    'breakers of policies: while one is open no repair of its policy starts',
  );
  breaker
    .command('ls')
    .description('list the open breakers')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint control breaker ls -o json'))
    .action(async (options, command: Command) => {
      const rows = rowsOf(deps, await standing(deps, command));
      printListing(deps.terminal, {
        ...{ format: options.output, rows, empty: 'no breaker is open' },
        header: ['POLICY', 'STATE', 'BY', 'SINCE', 'UNTIL', 'WHY'],
        cells: (row) => [
          ...[row.id, phaseText(row), row.by],
          ...[timeOf(row.at), timeOf(row.untilMs), row.reason],
        ],
      });
    });
  toggled(breaker.command('open'))
    .description('let no repair of a policy start; after a while one tries on one host')
    .option('--for <duration>', 'until one may try: 30m, 8h (else 30m)', durationOf)
    .addHelpText(
      'after',
      examples('fixpoint control breaker open restart-web --reason "it makes things worse"'),
    )
    .action((policy: string, options, command: Command) =>
      change({ deps, command, policy, options, open: true }),
    );
  toggled(breaker.command('close'))
    .description('let repairs of a policy start again, and forget its failures so far')
    .addHelpText('after', examples('fixpoint control breaker close restart-web --reason fixed'))
    .action((policy: string, options, command: Command) =>
      change({ deps, command, policy, options, open: false }),
    );
  return breaker;
}

const toggled = (command: Command): Command =>
  command
    .argument('<policy>', 'the policy')
    .requiredOption('--reason <text>', 'why; it is shown, and kept in the audit log')
    .addOption(byOption())
    .addOption(outputOption());

async function change(of: {
  readonly deps: CliDeps;
  readonly command: Command;
  readonly policy: string;
  readonly open: boolean;
  readonly options: {
    readonly reason: string;
    readonly by?: string;
    readonly for?: number;
    readonly output: string;
  };
}): Promise<void> {
  const { deps, policy, open, options } = of;
  await serversOf(deps, of.command).api.send(
    {
      method: 'PUT',
      path: `/v1/control/breakers/${encodeURIComponent(policy)}`,
      body: {
        ...{ open, reason: options.reason },
        ...(options.for === undefined ? {} : { openForMs: options.for }),
        ...(options.by === undefined ? {} : { operator_name: options.by }),
      },
    },
    z.unknown(),
  );
  const rows = rowsOf(deps, await standing(deps, of.command));
  const row = rows.find(({ id }) => id === policy) ?? { id: policy, state: 'closed' };
  if (options.output === 'json') return deps.terminal.out(`${plainJson(row)}\n`);
  const until = 'untilMs' in row ? ` until ${timeOf(row.untilMs)}` : '';
  deps.terminal.out(`${plainLine(`the breaker of ${policy} is ${row.state}${until}`)}\n`);
}

const standing = async (deps: CliDeps, command: Command): Promise<readonly Shown[]> =>
  (await serversOf(deps, command).api.get('/v1/control', controlState)).breakers;

/** Newest first. */
function rowsOf({ clock }: CliDeps, breakers: readonly Shown[]): readonly Row[] {
  const now = clock.now();
  return breakers
    .map(({ policy, ...more }) => ({ id: policy, state: breakerPhase(more, now), ...more }))
    .toSorted((left, right) => right.at - left.at);
}

const phaseText = ({ state, canary }: Row): string =>
  state === 'trying' ? `trying: ${canary?.remediationId}` : state.replace('_', ' ');

const timeOf = (at: number): string => new Date(at).toISOString();

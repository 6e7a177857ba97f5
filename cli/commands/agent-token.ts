import { Command } from 'commander';
import type { LabelPair } from '../../contracts/alert.ts';
import { agentTokenAnswer } from '../../contracts/enrolment.ts';
import { plainJson } from '../plain-text.ts';
import {
  type CliDeps,
  countOf,
  durationOf,
  examples,
  labelOf,
  outputOption,
  serversOf,
} from '../session.ts';

/** `fixpoint agent token create`: the token goes to standard output alone, so that it can be piped. */
export function agentTokenCommand(deps: CliDeps): Command {
  const token = new Command('token').description('tokens that make hosts agents');
  token
    .command('create')
    .description('make a token; it is shown once and kept nowhere')
    .option('--ttl <duration>', 'how long it may be used: 90s, 15m, 2h', durationOf, 900_000)
    .option('--uses <count>', 'how many hosts it enrols, 1 to 1000', countOf, 1)
    .option('--name <name>', 'the host’s name; with several uses what the names begin with')
    .option('--label <name=value>', 'a label of the host; may be given again', labelOf)
    .option('--replace', 'the agent that has this name now is enrolled no more', false)
    .option('--by <name>', 'who you are; recorded as claimed')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'fixpoint agent token create --name web1 --label zone=a --label service=web > token',
        'fixpoint agent token create --uses 40 --name web --label zone=a',
        'fixpoint agent token create --name web1 --replace',
      ),
    )
    .action(async (options, command: Command) => {
      const labels: readonly LabelPair[] = options.label ?? [];
      const created = await serversOf(deps, command).gateway.send(
        {
          method: 'POST',
          path: '/v1/agent-tokens',
          body: {
            ttlMs: options.ttl,
            uses: options.uses,
            labels: Object.fromEntries(labels),
            replace: options.replace,
            ...(options.name === undefined ? {} : { name: options.name }),
            ...(options.by === undefined ? {} : { operator_name: options.by }),
          },
        },
        agentTokenAnswer,
      );
      if (options.output === 'json') return deps.terminal.out(`${plainJson(created)}\n`);
      deps.terminal.out(`${created.token}\n`);
      const until = new Date(created.expiresAt).toISOString();
      deps.terminal.err(
        `for ${created.uses === 1 ? 'one host' : `${created.uses} hosts`}, until ${until}; on the host: node agent/main.ts enrol --token-file <file>\n`,
      );
    });
  return token;
}

import { Command, Option } from 'commander';
import { escalationRow, pageOf } from '../../contracts/http.ts';
import { ageOf, printListing } from '../output.ts';
import { type CliDeps, examples, limitOption, outputOption, serversOf } from '../session.ts';

/** `fixpoint escalation …`: who was told of repairs that need a person. */
export function escalationCommand(deps: CliDeps): Command {
  const escalation = new Command('escalation').description('who was told of repairs');
  escalation
    .command('ls')
    .description('list escalations, newest first; nobody took those that are dead')
    .addOption(limitOption())
    .addOption(
      new Option('--state <state>', 'only those in this state').choices([
        'sending',
        'sent',
        'dead',
      ]),
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint escalation ls', 'fixpoint escalation ls --state dead -o json'),
    )
    .action(async (options, command: Command) => {
      const query = new URLSearchParams({ limit: String(options.limit) });
      if (options.state !== undefined) query.set('state', options.state);
      const { items } = await serversOf(deps, command).api.get(
        `/v1/escalations?${query}`,
        pageOf(escalationRow),
      );
      printListing(deps.terminal, {
        format: options.output,
        rows: items,
        header: ['STATE', 'POLICY', 'STARTED', 'REMEDIATION', 'REASON'],
        cells: (row) => [
          row.state,
          row.policy,
          `${ageOf(Date.parse(row.startedAt), deps.clock.now())} ago`,
          row.remediationId,
          row.reason ?? '',
        ],
        empty:
          options.state === undefined
            ? 'no escalation yet; a policy asks for one with escalation: { url: … }'
            : `no escalation is ${options.state}; see all with: fixpoint escalation ls`,
      });
    });
  return escalation;
}

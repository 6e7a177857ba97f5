import { Command, Option } from 'commander';
import { pageOf, remediationRow } from '../../contracts/http.ts';
import { remediationStates } from '../../domain/remediation-end.ts';
import { statesEndedOutside } from '../outcome.ts';
import { ageOf, printListing } from '../output.ts';
import { remediationOf } from '../remediation-lookup.ts';
import { showRemediation } from '../remediation-report.ts';
import { tailRemediation } from '../remediation-tail.ts';
import {
  type CliDeps,
  durationOf,
  examples,
  limitOption,
  outputOption,
  serversOf,
} from '../session.ts';
import { addActions, idOf, whatId } from './remediation-actions.ts';

/** `fixpoint remediation …`: the repairs. */
export function remediationCommand(deps: CliDeps): Command {
  const remediation = new Command('remediation').alias('rem').description('repairs');
  addList(remediation, deps);
  remediation
    .command('show')
    .description('show what happened on every host, and what to do next')
    .argument('[id]', whatId, 'last')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint remediation show last'))
    .action(async (id: string, options, command: Command) => {
      const servers = serversOf(deps, command);
      const detail = await remediationOf(servers.api, await idOf(servers, id));
      await showRemediation({ deps, servers, detail, format: options.output });
    });
  remediation
    .command('tail')
    .description('follow a repair until it ends; as JSON, a line each time it changes')
    .argument('[id]', `${whatId}; one that an alert has just asked for is waited for`, 'last')
    .option('--wait <duration>', 'how long to wait for that one', durationOf, 20_000)
    .option('--timeout <duration>', 'stop following after this, with status 124', durationOf)
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'fixpoint remediation tail last',
        'fixpoint rem tail last --timeout 5m',
        'fixpoint rem tail last -o json',
      ),
    )
    .action((id: string, options, command: Command) =>
      tailRemediation({
        deps,
        servers: serversOf(deps, command),
        id,
        waitMs: options.wait,
        timeoutMs: options.timeout,
        format: options.output,
      }),
    );
  addActions(remediation, deps);
  return remediation;
}

function addList(remediation: Command, deps: CliDeps): void {
  remediation
    .command('ls')
    .description('list repairs, newest first')
    .addOption(limitOption())
    .addOption(
      new Option('--state <state>', 'only those in this state').choices([
        ...remediationStates,
        ...statesEndedOutside,
      ]),
    )
    .option('--policy <name>', 'only those of this policy')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint remediation ls', 'fixpoint rem ls --state failed -o json'),
    )
    .action(async (options, command: Command) => {
      const query = new URLSearchParams({ limit: String(options.limit) });
      if (options.state !== undefined) query.set('state', options.state);
      if (options.policy !== undefined) query.set('policy', options.policy);
      const { items } = await serversOf(deps, command).api.get(
        `/v1/remediations?${query}`,
        pageOf(remediationRow),
      );
      printListing(deps.terminal, {
        format: options.output,
        rows: items,
        header: ['STATE', 'POLICY', 'HOSTS', 'FAILED', 'STARTED', 'ID'],
        cells: (row) => [
          row.state,
          row.policy,
          String(row.hosts),
          String(row.hostsFailed),
          `${ageOf(Date.parse(row.startedAt), deps.clock.now())} ago`,
          row.id,
        ],
        empty:
          options.state === undefined && options.policy === undefined
            ? 'no remediation yet; try: fixpoint alert send --demo service-down --agent agent-2'
            : 'no remediation is in that state, or of that policy; see all with: fixpoint remediation ls',
      });
    });
}

import { Command } from 'commander';
import { pageOf } from '../../contracts/http.ts';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { ageOf, fieldsOf, printListing } from '../output.ts';
import { plainJson } from '../plain-text.ts';
import { type CliDeps, examples, outputOption, serversOf } from '../session.ts';

/** `fixpoint agent …`: the hosts that can be acted on. */
export function agentCommand(deps: CliDeps): Command {
  const agent = new Command('agent').description('agents: one on every host that can be repaired');
  agent
    .command('ls')
    .description('list the enrolled agents')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint agent ls', 'fixpoint agent ls -o json'))
    .action(async (options, command: Command) => {
      const { items } = await serversOf(deps, command).gateway.get(
        '/v1/agents?limit=1000',
        pageOf(agentView),
      );
      printListing(deps.terminal, {
        format: options.output,
        rows: items,
        header: ['NAME', 'ID', 'STATE', 'SEEN', 'LABELS'],
        cells: (row) => [row.name, row.id, row.state, seenOf(deps, row), labelsOf(row)],
        empty: 'no agent is enrolled',
      });
    });
  agent
    .command('show')
    .description('show one agent')
    .argument('<agent>', 'its name or id')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint agent show agent-2'))
    .action(async (name: string, options, command: Command) => {
      const found = await serversOf(deps, command).gateway.get(
        `/v1/agents/${encodeURIComponent(name)}`,
        agentView,
      );
      if (options.output === 'json') return deps.terminal.out(`${plainJson(found)}\n`);
      deps.terminal.out(
        fieldsOf([
          ['name', found.name],
          ['id', found.id],
          ['state', found.state],
          ['seen', seenOf(deps, found)],
          ['labels', labelsOf(found)],
          ['journal', found.journalId],
          ['gateway', found.gatewayId],
          ['version', found.version],
        ]),
      );
    });
  return agent;
}

const seenOf = (deps: CliDeps, agent: AgentView): string =>
  agent.lastSeenAt === null ? 'never' : `${ageOf(agent.lastSeenAt, deps.clock.now())} ago`;

const labelsOf = (agent: AgentView): string =>
  Object.entries(agent.labels)
    .filter(([name]) => name !== 'name')
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ');

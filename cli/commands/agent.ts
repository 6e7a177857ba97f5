import { Command } from 'commander';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { allAgents, idOfAgent } from '../agent-views.ts';
import { controlState } from '../answers.ts';
import { ageOf, fieldsOf, printListing } from '../output.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import { byOption, type CliDeps, examples, outputOption, serversOf } from '../session.ts';
import { agentTokenCommand } from './agent-token.ts';

/** `fixpoint agent …`: the hosts that can be acted on. */
export function agentCommand(deps: CliDeps): Command {
  const agent = new Command('agent').description('agents: one on every host that can be repaired');
  agent
    .command('ls')
    .description('list the enrolled agents')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint agent ls', 'fixpoint agent ls -o json'))
    .action(async (options, command: Command) => {
      const items = await allAgents(serversOf(deps, command).gateway);
      printListing(deps.terminal, {
        format: options.output,
        rows: items,
        header: ['NAME', 'ID', 'STATE', 'HEARTBEAT', 'VERSION', 'LABELS'],
        cells: (row) => [
          ...[row.name, row.id, stateText(row), seenOf(deps, row)],
          ...[row.version ?? '', labelsOf(row)],
        ],
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
          ['heartbeat', seenOf(deps, found)],
          ['labels', labelsOf(found)],
          ['journal', found.journalId],
          ['gateway', found.gatewayId],
          ['version', found.version],
          ['clock', clockText(found.clockOffsetMs)],
          ['locked', lockText(found.lock)],
        ]),
      );
    });
  agent.addCommand(agentTokenCommand(deps));
  agent.addCommand(lockCommand(deps, true)).addCommand(lockCommand(deps, false));
  return agent;
}

function lockCommand(deps: CliDeps, locked: boolean): Command {
  const verb = locked ? 'lock' : 'unlock';
  const command = new Command(verb)
    .description(
      locked
        ? 'cut an agent off on every gateway within 5 s and keep it out until `unlock`'
        : 'let a locked agent in again',
    )
    .argument('<agent>', 'its name or id')
    .addOption(byOption())
    .addOption(outputOption())
    .addHelpText('after', examples(`fixpoint agent ${verb} web1 --reason "disk image was copied"`));
  const why = 'why; it is kept in the audit log';
  if (locked) command.requiredOption('--reason <text>', why);
  else command.option('--reason <text>', why, '');
  return command.action(async (name: string, options, self: Command) => {
    const { api, gateway } = serversOf(deps, self);
    // The word is by id: a name may be given to another agent later.
    const id = await idOfAgent(gateway, name);
    const state = await api.send(
      {
        method: 'PUT',
        path: `/v1/control/agents/${id}`,
        body: {
          locked,
          reason: options.reason,
          ...(options.by === undefined ? {} : { operator_name: options.by }),
        },
      },
      controlState,
    );
    if (options.output === 'json') return deps.terminal.out(`${plainJson(state)}\n`);
    deps.terminal.out(`${plainLine(name)} is ${locked ? 'locked' : 'not locked'}\n`);
  });
}

/** The state, and beside it that the clock is off: nothing else of an agent is out of order. */
const stateText = ({ state, clockOffsetMs }: AgentView): string =>
  clockOffsetMs === null ? state : `${state}, clock_offset ${secondsOf(clockOffsetMs)}`;

const secondsOf = (ms: number): string => `${ms > 0 ? '+' : ''}${Math.round(ms / 1_000)} s`;

const clockText = (offsetMs: number | null): string | null =>
  offsetMs === null ? null : `clock_offset ${secondsOf(offsetMs)}; set the clock of the host`;

const lockText = (lock: AgentView['lock']): string | null =>
  lock === null
    ? null
    : `${lock.reason || 'no reason given'} (by ${lock.by}, ${new Date(lock.at).toISOString()})`;

const seenOf = (deps: CliDeps, agent: AgentView): string =>
  agent.lastSeenAt === null ? 'never' : `${ageOf(agent.lastSeenAt, deps.clock.now())} ago`;

const labelsOf = (agent: AgentView): string =>
  Object.entries(agent.labels)
    .filter(([name]) => name !== 'name')
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ');

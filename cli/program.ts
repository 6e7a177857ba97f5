import { Command, CommanderError } from 'commander';
import { agentCommand } from './commands/agent.ts';
import { alertCommand } from './commands/alert.ts';
import { auditCommand } from './commands/audit.ts';
import { controlCommand } from './commands/control.ts';
import { escalationCommand } from './commands/escalation.ts';
import { policyCommand } from './commands/policy.ts';
import { remediationCommand } from './commands/remediation.ts';
import { runCommand } from './commands/run.ts';
import { setupCommand } from './commands/setup.ts';
import { statusCommand } from './commands/status.ts';
import { taskCommand } from './commands/task.ts';
import { upCommand } from './commands/up.ts';
import { workflowCommand } from './commands/workflow.ts';
import { exitCodesHelp, exits } from './outcome.ts';
import { printError } from './output.ts';
import { type CliDeps, examples } from './session.ts';

const commands = [
  upCommand,
  statusCommand,
  alertCommand,
  policyCommand,
  remediationCommand,
  runCommand,
  escalationCommand,
  taskCommand,
  agentCommand,
  controlCommand,
  auditCommand,
  workflowCommand,
  setupCommand,
];

/** The whole command line; its help texts and errors go to `deps.terminal`. */
export function createProgram(deps: CliDeps): Command {
  const program = new Command('fixpoint')
    .description('Turns alerts into safe, durable, batched repairs on fleets of hosts.')
    .option(
      '--url <url>',
      'the api (FIXPOINT_URL; else what `npm start` left in .fixpoint/run.json)',
    )
    .option('--gateway-url <url>', 'the agent gateway (FIXPOINT_GATEWAY_URL; else as --url)')
    .option(
      '--token-file <file>',
      'file with the operator token (FIXPOINT_TOKEN_FILE; else as --url)',
    )
    .addHelpText(
      'after',
      examples(
        'fixpoint alert send --demo service-down --agent agent-2',
        'fixpoint remediation tail last',
        'fixpoint remediation ls -o json',
      ) + exitCodesHelp,
    );
  for (const create of commands) program.addCommand(create(deps));
  settle(program, deps);
  return program;
}

/** Commander does not hand these settings down to commands that were made apart. */
function settle(command: Command, deps: CliDeps): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => deps.terminal.out(text),
      writeErr: (text) => deps.terminal.err(text),
      getOutHelpWidth: () => deps.terminal.columns,
      getErrHelpWidth: () => deps.terminal.columns,
    });
  if (command.commands.length === 0) {
    command.showHelpAfterError('hint: add --help to see arguments, options and examples');
  }
  for (const child of command.commands) settle(child, deps);
}

/** Runs one command line (`argv` without node and script); answers its exit status, never rejects. */
export async function runCli(
  argv: readonly string[],
  deps: Omit<CliDeps, 'setExit'>,
): Promise<number> {
  let status: number = exits.ok;
  const program = createProgram({
    ...deps,
    setExit: (wanted) => {
      status = wanted;
    },
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok : exits.usage;
    if (deps.interrupted.aborted) return exits.interrupted;
    return printError(deps.terminal, error);
  }
}

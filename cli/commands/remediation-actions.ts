import type { Command } from 'commander';
import type { OutputFormat } from '../output.ts';
import { actOnRemediation, approveRemediation } from '../remediation-act.ts';
import { newestRemediation } from '../remediation-lookup.ts';
import { byOption, type CliDeps, examples, outputOption, serversOf } from '../session.ts';

export const whatId = 'its id, or "last" for the newest';

export const idOf = async (
  servers: ReturnType<typeof serversOf>,
  given: string,
): Promise<string> => (given === 'last' ? (await newestRemediation(servers.api)).id : given);

type Action = {
  readonly name: string;
  readonly description: string;
  readonly example: string;
  /** It must be said why. */
  readonly isReasoned: boolean;
};

const actions: readonly Action[] = [
  {
    name: 'reject',
    description: 'end a repair that waits for approval; nothing is done',
    example: 'fixpoint remediation reject last --reason "wrong hosts"',
    isReasoned: true,
  },
  {
    name: 'pause',
    description: 'start no further batch; what runs goes on, and an open approval does not expire',
    example: 'fixpoint remediation pause last --reason "looking at web7"',
    isReasoned: true,
  },
  {
    name: 'resume',
    description: 'let a paused repair go on',
    example: 'fixpoint remediation resume last --reason "web7 is known"',
    isReasoned: true,
  },
  {
    name: 'confirm-batch',
    description: 'let a paused repair start one batch, and pause again',
    example: 'fixpoint remediation confirm-batch last --reason "one more"',
    isReasoned: true,
  },
  {
    name: 'cancel',
    description: 'start no further batch, cancel what runs, and end with every host’s outcome',
    example: 'fixpoint remediation cancel last --reason "wrong runbook"',
    isReasoned: false,
  },
];

type Options = {
  readonly reason: string;
  readonly by?: string;
  readonly digest?: string;
  readonly output: OutputFormat;
};

/** What operators ask of a running repair. */
export function addActions(remediation: Command, deps: CliDeps): void {
  const asked = async (id: string, { reason, by, output }: Options, command: Command) => {
    const servers = serversOf(deps, command);
    return { deps, servers, id: await idOf(servers, id), reason, by, format: output };
  };
  remediation
    .command('approve')
    .description('approve what a repair asks for; nothing else than what is shown now')
    .argument('<id>', whatId)
    .option('--reason <text>', 'why; it is kept with the decision', '')
    .addOption(byOption())
    .option('--digest <digits>', 'the plan that you looked at, if it is not the one of now')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint remediation approve last'))
    .action(async (id: string, options: Options, command: Command) =>
      approveRemediation({ ...(await asked(id, options, command)), digest: options.digest }),
    );
  remediation
    .command('retry')
    .description(
      'try failed hosts again: while it is paused, or as a run by hand when it has ended',
    )
    .argument('<id>', whatId)
    .requiredOption('--failed', 'the hosts that failed; no others are ever tried again')
    .requiredOption('--reason <text>', 'why; it is kept with the decision')
    .addOption(byOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint remediation retry last --failed --reason "disk freed"'),
    )
    .action(async (id: string, options: Options, self: Command) =>
      actOnRemediation({ ...(await asked(id, options, self)), action: 'retry-failed' }),
    );
  for (const { name, description, example, isReasoned } of actions) {
    const command = remediation
      .command(name)
      .description(description)
      .argument('<id>', whatId)
      .addOption(byOption())
      .addOption(outputOption())
      .addHelpText('after', examples(example));
    if (isReasoned) command.requiredOption('--reason <text>', 'why; it is kept with the decision');
    else command.option('--reason <text>', 'why; it is kept with the decision', '');
    command.action(async (id: string, options: Options, self: Command) =>
      actOnRemediation({ ...(await asked(id, options, self)), action: name }),
    );
  }
}

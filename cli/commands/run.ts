import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import type { LabelPair } from '../../contracts/alert.ts';
import { remediationDetail } from '../../contracts/http.ts';
import { limits } from '../../contracts/limits.ts';
import { exitOf } from '../outcome.ts';
import type { OutputFormat } from '../output.ts';
import { pictureOf } from '../picture.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import {
  byOption,
  type CliDeps,
  examples,
  labelOf,
  outputOption,
  selfOf,
  serversOf,
} from '../session.ts';

type Options = {
  readonly hosts?: readonly string[];
  readonly select?: readonly string[];
  readonly label?: readonly LabelPair[];
  readonly batches?: string;
  readonly blastRadius?: string;
  readonly domainBy?: readonly string[];
  readonly approve?: number;
  readonly id?: string;
  readonly reason?: string;
  readonly by?: string;
  readonly output: OutputFormat;
};

const started = z.object({ id: z.string(), state: z.string() });

/** `fixpoint run …`: runbooks by hand, under the same guards as repairs. */
export function runCommand(deps: CliDeps): Command {
  const run = new Command('run').description('run a runbook by hand');
  withHosts(run.command('plan'))
    .description('show hosts, batches and guards of a run; never acts')
    .addHelpText(
      'after',
      examples(
        'fixpoint run plan restart-web --hosts web1,web2 --label service=web',
        'fixpoint run plan restart-web --select \'service="web"\' --batches "1 10%"',
      ),
    )
    .action((runbook: string, options: Options, command: Command) =>
      plan({ deps, runbook, options, command }),
    );
  withHosts(run.command('start'))
    .description('run a runbook on these hosts; it begins at once, or when others approve it')
    .option('--approve <count>', 'wait until so many others approve it', approversOf)
    .option('--id <name>', 'your own name for the run: given again, it is the same run')
    .option('--reason <text>', 'why; it is kept in the audit log')
    .addHelpText(
      'after',
      examples(
        'fixpoint run start restart-web --hosts web1 --label service=web',
        'fixpoint run start restart-web --select \'zone="eu-1"\' --approve 1 --reason "kernel 6.6.9"',
      ),
    )
    .action((runbook: string, options: Options, command: Command) =>
      start({ deps, runbook, options, command }),
    );
  return run;
}

const withHosts = (command: Command): Command =>
  command
    .argument('<runbook>', 'name of the runbook')
    .option('--hosts <names>', 'agents by name or id, separated by commas', listOf)
    .option('--select <matcher>', 'agents by their labels; may be given again', added)
    .option('-l, --label <name=value>', 'a value for ${labels.name}; may be given again', labelOf)
    .option('--batches <expression>', 'in place of what the steps say: 5, "1 10% +5 *2"')
    .option('--blast-radius <share>', 'hosts of a fault domain at once: 5, 10%')
    .option('--domain-by <labels>', 'labels that make fault domains, separated by commas', listOf)
    .addOption(byOption())
    .addOption(outputOption());

type Asked = {
  readonly deps: CliDeps;
  readonly runbook: string;
  readonly options: Options;
  readonly command: Command;
};

async function plan({ deps, runbook, options, command }: Asked): Promise<void> {
  const detail = await serversOf(deps, command).api.send(
    { method: 'POST', path: '/v1/remediations/plan', body: bodyOf(runbook, options) },
    remediationDetail,
  );
  deps.setExit(exitOf(detail.progress));
  if (options.output === 'json') return deps.terminal.out(`${plainJson(detail)}\n`);
  deps.terminal.out(`${pictureOf(deps.terminal, detail.progress).join('\n')}\n`);
}

async function start({ deps, runbook, options, command }: Asked): Promise<void> {
  const kept = await serversOf(deps, command).api.send(
    { method: 'POST', path: '/v1/remediations', body: bodyOf(runbook, options) },
    started,
  );
  if (options.output === 'json') return deps.terminal.out(`${plainJson(kept)}\n`);
  const word = kept.state === 'started' ? 'started' : 'waits for approval';
  deps.terminal.err(`${word}: ${selfOf(deps)} remediation tail '${plainLine(kept.id)}'\n`);
}

const bodyOf = (runbook: string, of: Options) => ({
  runbook,
  hosts: of.hosts,
  select: of.select,
  labels: of.label === undefined ? undefined : Object.fromEntries(of.label),
  batches: numberOr(of.batches),
  blastRadius: numberOr(of.blastRadius),
  domainBy: of.domainBy,
  approvers: of.approve,
  id: of.id,
  reason: of.reason,
  operator_name: of.by,
});

const numberOr = (text: string | undefined): string | number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : text;

const listOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const added = (text: string, given: readonly string[] = []): readonly string[] => [...given, text];

function approversOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= limits.approversMax) return count;
  throw new InvalidArgumentError(`It must be a number from 0 to ${limits.approversMax}.`);
}

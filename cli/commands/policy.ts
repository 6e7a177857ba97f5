import { dirname, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { LabelPair } from '../../contracts/alert.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import { FixpointError } from '../../domain/errors.ts';
import { flawLine, loadPolicyFiles, type PolicySet } from '../../platform/policy-files.ts';
import { type FileWarning, warningLine, warningsOf } from '../../platform/policy-warnings.ts';
import type { FileFlaw } from '../../platform/yaml-document.ts';
import { exits } from '../outcome.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import { explainPolicies } from '../policy-test.ts';
import { tryAlerts } from '../policy-trial.ts';
import { type CliDeps, examples, labelOf, outputOption, serversOf } from '../session.ts';

/** `fixpoint policy …`: which alerts are acted on, and how. */
export function policyCommand(deps: CliDeps): Command {
  const policy = new Command('policy').description(
    'rules: which alerts, which hosts, which runbook',
  );
  policy
    .command('check')
    .description('check policies and runbooks, and warn of what is seldom meant; needs no server')
    .argument('[folder]', 'the folder of policies (else FIXPOINT_POLICY_DIR, else policies/)')
    .option(
      '--runbooks <folder>',
      'the folder of runbooks (else FIXPOINT_RUNBOOK_DIR, else runbooks/ beside the policies)',
    )
    .option('--strict', 'end with 2 for a warning too, as for a flaw')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint policy check', 'fixpoint policy check --strict /etc/fixpoint/policies'),
    )
    .action((folder: string | undefined, options) => check({ deps, folder, options }));
  policy
    .command('test')
    .description(
      'show which policy takes an alert, why others do not, and what would be done; never acts',
    )
    .option('-l, --label <name=value>', 'a label of the alert; may be given again', labelOf)
    .addOption(
      new Option(
        '--alert <file>',
        'a body as Alertmanager posts it: also shows hosts, batches and guards',
      ).conflicts('label'),
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'fixpoint policy test -l alertname=DemoServiceDown -l instance=agent-2:8482',
        'fixpoint policy test --alert alert.json',
      ),
    )
    .action(async (options: TestOptions, command: Command) => {
      const { alert, label: labels, output: format } = options;
      if (alert === undefined && labels === undefined) {
        throw new FixpointError('invalid_payload', 'give --alert <file>, or labels with -l');
      }
      const servers = serversOf(deps, command);
      const { taken } =
        alert === undefined
          ? await explainPolicies({ deps, servers, labels: labels ?? [], format })
          : await tryAlerts({ deps, servers, file: alert, format });
      if (taken === 0) deps.setExit(exits.failed);
    });
  return policy;
}

type TestOptions = {
  readonly label?: LabelPair[];
  readonly alert?: string;
  readonly output: 'table' | 'json';
};

type CheckOptions = {
  readonly runbooks?: string;
  readonly strict?: true;
  readonly output: 'table' | 'json';
};

async function check(of: {
  readonly deps: CliDeps;
  readonly folder: string | undefined;
  readonly options: CheckOptions;
}): Promise<void> {
  const { deps, options } = of;
  const { environment } = deps;
  const policyDir = of.folder ?? (environment['FIXPOINT_POLICY_DIR'] || 'policies');
  const runbookDir =
    options.runbooks ??
    (environment['FIXPOINT_RUNBOOK_DIR'] ||
      join(dirname(resolve(deps.cwd, policyDir)), 'runbooks'));
  const files = await loadPolicyFiles({
    policyDir: resolve(deps.cwd, policyDir),
    runbookDir: resolve(deps.cwd, runbookDir),
    clocks: defaultClocks,
  });
  if (files.kind === 'flawed') return printFlaws(deps, options, files.flaws);
  const warnings = warningsOf(files, policyDir);
  printValid(deps, options, { set: files.set, warnings });
  if (options.strict && warnings.length > 0) {
    throw new FixpointError('invalid_payload', counted(warnings.length, 'warning'), {
      hint: 'a server starts with them; without --strict the status is 0',
    });
  }
}

function printFlaws(deps: CliDeps, options: CheckOptions, flaws: readonly FileFlaw[]): never {
  if (options.output === 'json') {
    const rows = flaws.map((flaw) => ({ id: placeText(flaw), state: 'flawed', ...flaw }));
    deps.terminal.out(`${plainJson(rows)}\n`);
  } else for (const flaw of flaws) deps.terminal.out(`${plainLine(flawLine(flaw))}\n`);
  throw new FixpointError('invalid_payload', counted(flaws.length, 'flaw'), {
    hint: 'nothing is loaded while there is one; docs/first-policy.md shows whole examples',
  });
}

function printValid(
  { terminal }: CliDeps,
  options: CheckOptions,
  { set, warnings }: { readonly set: PolicySet; readonly warnings: readonly FileWarning[] },
): void {
  if (options.output === 'json') {
    const policies = set.policies.map((policy) => ({
      id: policy.name,
      state: 'valid',
      runbook: policy.spec.runbook,
      digest: policy.frozen.digest,
    }));
    const warned = warnings.map((warning) => ({
      id: placeText(warning),
      state: 'warning',
      ...warning,
    }));
    terminal.out(`${plainJson([...policies, ...warned])}\n`);
    return;
  }
  for (const warning of warnings) terminal.out(`${plainLine(warningLine(warning))}\n`);
  const also = warnings.length === 0 ? '' : `, ${counted(warnings.length, 'warning')}`;
  terminal.out(`valid: ${set.policies.length} policies, ${set.runbooks.size} runbooks${also}\n`);
}

const counted = (count: number, what: string): string =>
  `${count} ${count === 1 ? what : `${what}s`}`;

const placeText = ({ file, line, column }: FileFlaw): string => `${file}:${line}:${column}`;

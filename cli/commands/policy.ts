import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import type { LabelPair } from '../../contracts/alert.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import { FixpointError } from '../../domain/errors.ts';
import { flawLine, loadPolicyFiles } from '../../platform/policy-files.ts';
import { exits } from '../outcome.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import { explainPolicies } from '../policy-test.ts';
import { type CliDeps, examples, labelOf, outputOption, serversOf } from '../session.ts';

/** `fixpoint policy …`: which alerts are acted on, and how. */
export function policyCommand(deps: CliDeps): Command {
  const policy = new Command('policy').description(
    'rules: which alerts, which hosts, which runbook',
  );
  policy
    .command('check')
    .description('check policies and runbooks as the servers do at their start; needs no server')
    .argument('[folder]', 'the folder of policies (else FIXPOINT_POLICY_DIR, else policies/)')
    .option(
      '--runbooks <folder>',
      'the folder of runbooks (else FIXPOINT_RUNBOOK_DIR, else runbooks/ beside the policies)',
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint policy check', 'fixpoint policy check /etc/fixpoint/policies'),
    )
    .action((folder: string | undefined, options) => check({ deps, folder, options }));
  policy
    .command('test')
    .description('show which policy takes an alert with these labels, and why others do not')
    .requiredOption('-l, --label <name=value>', 'a label of the alert; may be given again', labelOf)
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint policy test -l alertname=DemoServiceDown -l instance=agent-2:8482'),
    )
    .action(async (options: { label: LabelPair[]; output: 'table' | 'json' }, command: Command) => {
      const servers = serversOf(deps, command);
      const { taken } = await explainPolicies({
        deps,
        servers,
        labels: options.label,
        format: options.output,
      });
      if (taken === 0) deps.setExit(exits.failed);
    });
  return policy;
}

async function check(of: {
  readonly deps: CliDeps;
  readonly folder: string | undefined;
  readonly options: { readonly runbooks?: string; readonly output: 'table' | 'json' };
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
  if (files.kind === 'flawed') {
    if (options.output === 'json') deps.terminal.out(`${plainJson(files.flaws)}\n`);
    else for (const flaw of files.flaws) deps.terminal.out(`${plainLine(flawLine(flaw))}\n`);
    const count = files.flaws.length;
    throw new FixpointError('invalid_payload', `${count} ${count === 1 ? 'flaw' : 'flaws'}`, {
      hint: 'nothing is loaded while there is one; docs/first-policy.md shows whole examples',
    });
  }
  const { policies, runbooks } = files.set;
  const rows = policies.map((policy) => ({
    id: policy.name,
    state: 'valid',
    runbook: policy.spec.runbook,
    digest: policy.frozen.digest,
  }));
  if (options.output === 'json') return deps.terminal.out(`${plainJson(rows)}\n`);
  deps.terminal.out(`valid: ${policies.length} policies, ${runbooks.size} runbooks\n`);
}

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type PolicyPlan, type PolicyTestAnswer, policyTestAnswer } from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import { batchesInWords } from '../domain/plan-outlook.ts';
import { guardHeader, guardRow } from './guard-lines.ts';
import { type OutputFormat, tableOf } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import type { CliDeps, Servers } from './session.ts';

/** Alerts and hosts that are told one by one. */
const toldMax = 20;

/**
 * Asks what the policies would do with the alerts of a file, and prints it: who takes them, which
 * hosts, which batches, and where each guard stands. Nothing is started. `taken` counts the plans.
 */
export async function tryAlerts(of: {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly file: string;
  readonly format: OutputFormat;
}): Promise<{ readonly taken: number }> {
  const { deps, servers, file } = of;
  const answer = await servers.api.send(
    { method: 'POST', path: '/v1/policies/test', body: { body: await bodyIn(deps, file) } },
    policyTestAnswer,
  );
  const { alerts = [], plans = [] } = answer;
  if (of.format === 'json') {
    const rows = plans.map((plan) => ({ id: plan.policy, state: plan.outcome, ...plan }));
    deps.terminal.out(`${plainJson({ alerts, plans: rows })}\n`);
    return { taken: plans.length };
  }
  for (const alert of alerts.slice(0, toldMax)) printAlert(deps, alert);
  if (alerts.length > toldMax) deps.terminal.out(`and ${alerts.length - toldMax} more alerts\n`);
  for (const plan of plans) printPlan(deps, plan);
  if (plans.length === 0) deps.terminal.out('nothing would start\n');
  return { taken: plans.length };
}

async function bodyIn(deps: CliDeps, file: string): Promise<unknown> {
  const path = resolve(deps.cwd, file);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FixpointError('invalid_payload', `${file} cannot be read`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new FixpointError('invalid_payload', `${file} is not JSON`, {
      hint: 'it must be what Alertmanager posts; `fixpoint alert send --demo service-down --print` prints one',
    });
  }
}

type TriedAlert = NonNullable<PolicyTestAnswer['alerts']>[number];

function printAlert({ terminal }: CliDeps, alert: TriedAlert): void {
  terminal.out(`${plainLine(`alert ${alert.name} (${alert.status}) ${alert.fingerprint}`)}\n`);
  terminal.out(
    tableOf(
      ['POLICY', 'TAKES IT', 'WHY'],
      alert.verdicts.map(({ policy, verdict, detail }) => [
        policy,
        verdict === 'taken' ? 'yes' : 'no',
        whyOf(verdict, detail ?? ''),
      ]),
    ),
  );
}

const words: Readonly<Record<string, (detail: string) => string>> = {
  taken: () => 'all matchers hold',
  source: () => 'it is for another source',
  matcher: (detail) => `${detail} does not hold`,
  not_asked: () => 'a policy before it took the alert',
  shielded: (detail) => `guards.shield leaves it alone: ${detail}`,
  maintenance: (detail) => `guards.maintenance lets nothing start: ${detail}`,
  resolved: () => 'it resolved: a running repair hears of it, and none starts',
  truncated: () => 'the sender cut its list: nothing is done on a part of the hosts',
};

const whyOf = (verdict: string, detail: string): string => words[verdict]?.(detail) ?? verdict;

const outcomes = { starts: 'would start', waits: 'waits now', held: 'would end held' } as const;

function printPlan({ terminal }: CliDeps, plan: PolicyPlan): void {
  const line = (text: string) => terminal.out(`${plainLine(text)}\n`);
  const why = plan.reason === null ? '' : `: ${plan.reason}`;
  terminal.out('\n');
  line(
    `policy ${plan.policy} · runbook ${plan.runbook} · group ${plan.groupId} · ${plan.alerts} alerts`,
  );
  line(`  ${outcomes[plan.outcome]}${why}`);
  if (plan.hosts > 0) {
    line(`  ${plan.hosts} hosts`);
    terminal.out(
      tableOf(
        ['HOST', 'AGENT', 'BECAUSE'],
        plan.targets
          .slice(0, toldMax)
          .map(({ name, agentId, because }) => [name, agentId, because]),
      ),
    );
    if (plan.hosts > toldMax) line(`  and ${plan.hosts - toldMax} more hosts`);
  }
  if (plan.skipped.length > 0)
    line(`  no agent is meant by ${plan.skipped.slice(0, 5).join(', ')}`);
  for (const { name, batches } of plan.steps) {
    line(`  step ${name}: ${batchesInWords(batches)}`);
  }
  if (plan.guards.length > 0) terminal.out(tableOf(guardHeader, plan.guards.map(guardRow)));
  for (const { guard, holds, remedy } of plan.guards) if (holds) line(`  ${guard}: ${remedy}`);
}

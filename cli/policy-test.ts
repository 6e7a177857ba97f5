import type { LabelPair } from '../contracts/alert.ts';
import { policyTestAnswer } from '../contracts/http.ts';
import { type OutputFormat, tableOf } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import type { CliDeps, Servers } from './session.ts';

/** Asks the api which policy takes an alert with these labels, and prints why the others do not. */
export async function explainPolicies(of: {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly labels: readonly LabelPair[];
  readonly format: OutputFormat;
}): Promise<{ readonly taken: number }> {
  const { deps, servers } = of;
  const { items } = await servers.api.send(
    {
      method: 'POST',
      path: '/v1/policies/test',
      body: { labels: Object.fromEntries(of.labels) },
    },
    policyTestAnswer,
  );
  const taken = items.filter((item) => item.verdict === 'taken').length;
  if (of.format === 'json') {
    const rows = items.map((item) => ({ id: item.policy, state: item.verdict, ...item }));
    deps.terminal.out(`${plainJson(rows)}\n`);
    return { taken };
  }
  if (items.length === 0) deps.terminal.err('no policy is loaded\n');
  else {
    deps.terminal.out(
      tableOf(
        ['POLICY', 'TAKES IT', 'WHY', 'RUNBOOK', 'TARGETS'],
        items.map((item) => [
          item.policy,
          item.verdict === 'taken' ? 'yes' : 'no',
          whyOf(item),
          item.verdict === 'taken' ? item.runbook : '',
          item.verdict === 'taken' ? item.targets : '',
        ]),
      ),
    );
  }
  for (const item of items.filter(({ verdict }) => verdict === 'taken')) {
    deps.terminal.out(`${plainLine(`mailbox:${item.policy}:${item.groupId}`)}\n`);
  }
  return { taken };
}

function whyOf(item: { readonly verdict: string; readonly matcher: string | null }): string {
  switch (item.verdict) {
    case 'taken':
      return 'all matchers hold';
    case 'matcher':
      return `${item.matcher ?? 'a matcher'} does not hold`;
    case 'source':
      return 'it is for another source';
    default:
      return 'a policy before it took the alert';
  }
}

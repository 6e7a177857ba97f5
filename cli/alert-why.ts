import { type DeliveryView, deliveryView, pageOf, remediationRow } from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import { fateMeaning, fateText } from './fate-text.ts';
import { fieldsOf, type OutputFormat } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import { explainPolicies } from './policy-test.ts';
import { type CliDeps, type Servers, selfOf } from './session.ts';

/** Tells the story of one delivery as far as it went. */
export async function explainDelivery(of: {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly id: string;
  readonly format: OutputFormat;
}): Promise<void> {
  const { deps, servers } = of;
  const id = of.id === 'last' ? await newestDelivery(servers) : of.id;
  const delivery = await servers.api.get(`/v1/alerts/${encodeURIComponent(id)}`, deliveryView);
  const remediations = await remediationsOf(servers, delivery);
  const state = delivery.outcomes.map(({ fate }) => fateText(fate)).join(', ') || 'waiting';
  if (of.format === 'json') {
    return deps.terminal.out(`${plainJson({ id, state, ...delivery, remediations })}\n`);
  }
  printDelivery(deps, delivery);
  for (const outcome of delivery.outcomes) {
    const policy = outcome.policy === null ? '' : ` by policy ${outcome.policy}`;
    const detail = outcome.detail === undefined ? '' : ` (${outcome.detail})`;
    deps.terminal.out(
      `${plainLine(`${fateText(outcome.fate)}${policy}: ${fateMeaning(outcome.fate)}${detail}`)}\n`,
    );
  }
  if (delivery.outcomes.length === 0) {
    deps.terminal.out('waiting: the dispatcher has not taken it yet; see `fixpoint status`\n');
  }
  for (const { id: remediation, state: ended } of remediations) {
    deps.terminal.out(
      `${plainLine(`remediation ${ended}: ${selfOf(deps)} remediation show '${remediation}'`)}\n`,
    );
  }
  if (delivery.outcomes.some(({ fate }) => fate.kind === 'unmatched')) {
    await explainPolicies({ deps, servers, labels: delivery.labels, format: 'table' });
  }
}

function printDelivery(deps: CliDeps, delivery: DeliveryView): void {
  deps.terminal.out(
    fieldsOf([
      ['delivery', delivery.deliveryId],
      ['alert', `${delivery.name} (${delivery.status})`],
      ['fingerprint', delivery.fingerprint],
      ['starts', delivery.startsAt],
      ['received', delivery.receivedAt],
      ['labels', delivery.labels.map(([name, value]) => `${name}=${value}`).join(' ')],
      ['repeated', delivery.duplicates ? `${delivery.duplicates} times` : null],
    ]),
  );
}

async function newestDelivery(servers: Servers): Promise<string> {
  const { items } = await servers.api.get('/v1/alerts?limit=1', pageOf(deliveryView));
  const newest = items[0];
  if (newest !== undefined) return newest.deliveryId;
  throw new FixpointError('not_found', 'no alert came in yet', {
    hint: 'try: fixpoint alert send --demo service-down --agent agent-2',
  });
}

/** Repairs of the groups that this delivery was handed to; a mailbox's id is part of theirs. */
async function remediationsOf(
  servers: Servers,
  delivery: DeliveryView,
): Promise<{ readonly id: string; readonly state: string }[]> {
  const groups = delivery.outcomes.flatMap(({ fate, mailboxId }) =>
    fate.kind === 'handed' && mailboxId !== null
      ? [mailboxId.replace(/^mailbox:/, 'remediation:')]
      : [],
  );
  if (groups.length === 0) return [];
  const { items } = await servers.api.get('/v1/remediations?limit=200', pageOf(remediationRow));
  // Runs of the group that were there when it came, or came after it.
  return items
    .filter((row) => groups.some((group) => row.id.startsWith(`${group}:`)))
    .filter((row) => row.endedAt === null || row.endedAt >= delivery.receivedAt)
    .map(({ id, state }) => ({ id, state }));
}

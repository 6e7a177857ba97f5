import { type DeliveryView, deliveryView, pageOf, remediationRow } from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import { fateMeaning, fateText } from './fate-text.ts';
import { heldByText } from './guard-lines.ts';
import { fieldsOf, type OutputFormat } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import { explainPolicies } from './policy-test.ts';
import { remediationOf } from './remediation-lookup.ts';
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
  for (const { id: remediation, state: ended, reason } of remediations) {
    const why = reason === null ? '' : ` (${reason})`;
    deps.terminal.out(
      `${plainLine(`remediation ${ended}${why}: ${selfOf(deps)} remediation show '${remediation}'`)}\n`,
    );
  }
  printMailboxes(deps, delivery);
  if (delivery.outcomes.some(({ fate }) => fate.kind === 'unmatched')) {
    await explainPolicies({ deps, servers, labels: delivery.labels, format: 'table' });
  }
}

/** The guards that keep its mailboxes from starting something now; if none does, that they do not. */
function printMailboxes({ terminal }: CliDeps, { mailboxes = [] }: DeliveryView): void {
  for (const { id, guards } of mailboxes) {
    const holding = (guards ?? []).filter(({ holds }) => holds);
    for (const guard of holding) terminal.out(`${plainLine(`${id}: ${heldByText(guard)}`)}\n`);
    if (holding.length > 0) continue;
    const word = guards === null ? 'has closed, or cannot be asked now' : 'no guard holds it now';
    terminal.out(`${plainLine(`${id}: ${word}`)}\n`);
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

/** Repairs whose reason is asked for. */
const reasonsMax = 5;

/** The repair's own word why it waits or ended as it did; null if it has none or cannot be asked. */
async function reasonOf({ api }: Servers, id: string): Promise<string | null> {
  try {
    return (await remediationOf(api, id)).progress.reason;
  } catch {
    return null; // Its state was told already, and `remediation show` says why it cannot be asked.
  }
}

/** Repairs of the groups that this delivery was handed to; a mailbox's id is part of theirs. */
async function remediationsOf(
  servers: Servers,
  delivery: DeliveryView,
): Promise<{ readonly id: string; readonly state: string; readonly reason: string | null }[]> {
  const groups = delivery.outcomes.flatMap(({ fate, mailboxId }) =>
    fate.kind === 'handed' && mailboxId !== null
      ? [mailboxId.replace(/^mailbox:/, 'remediation:')]
      : [],
  );
  if (groups.length === 0) return [];
  const { items } = await servers.api.get('/v1/remediations?limit=200', pageOf(remediationRow));
  // Runs of the group that were there when it came, or came after it.
  const rows = items
    .filter((row) => groups.some((group) => row.id.startsWith(`${group}:`)))
    .filter((row) => row.endedAt === null || row.endedAt >= delivery.receivedAt);
  return Promise.all(
    rows.map(async ({ id, state }, at) => ({
      ...{ id, state },
      // Each is a query of a workflow; of many the newest tell enough.
      reason: at < reasonsMax ? await reasonOf(servers, id) : null,
    })),
  );
}

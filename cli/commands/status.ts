import { Command } from 'commander';
import { pageOf, readiness, remediationRow } from '../../contracts/http.ts';
import { FixpointError } from '../../domain/errors.ts';
import { scopeText } from '../../domain/stop-scope.ts';
import { allAgents } from '../agent-views.ts';
import { controlState } from '../answers.ts';
import type { Client } from '../client.ts';
import { isEnded } from '../outcome.ts';
import { type OutputFormat, printListing } from '../output.ts';
import { plainLine } from '../plain-text.ts';
import { type CliDeps, examples, outputOption, type Servers, serversOf } from '../session.ts';

type Row = { readonly id: string; readonly state: string; readonly detail: string };

/** `fixpoint status`: one line a part; the exit status says whether all is well. */
export function statusCommand(deps: CliDeps): Command {
  return new Command('status')
    .description('show whether every part is up, and what runs')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint status', 'fixpoint status -o json'))
    .action((options, command: Command) => show(deps, serversOf(deps, command), options.output));
}

async function show(deps: CliDeps, servers: Servers, format: OutputFormat): Promise<void> {
  const { connection } = servers;
  const rows: Row[] = [
    ...(await partRows('api', connection.api.url, servers.api)),
    ...(await partRows('gateway', connection.gateway.url, servers.gateway)),
  ];
  for (const row of [agentsRow, remediationsRow, controlRow]) {
    rows.push(await row(servers).catch((error: unknown) => failedRow(row.name, error)));
  }
  if (connection.temporalUi !== null) {
    rows.push({ id: 'temporal ui', state: '-', detail: connection.temporalUi });
  }
  printListing(deps.terminal, {
    format,
    rows,
    header: ['PART', 'STATE', 'DETAIL'],
    cells: (row) => [row.id, row.state, row.detail],
    empty: 'nothing is known',
  });
  const down = rows.find((row) => row.state === 'down');
  if (down === undefined) return;
  throw new FixpointError('upstream_unavailable', `${down.id} is down: ${plainLine(down.detail)}`, {
    hint: 'start Fixpoint with `npm start`; its logs are in .fixpoint/logs',
  });
}

/** A part and what it needs; an unreachable one is a row, not the end of the command. */
async function partRows(name: string, url: string, client: Client): Promise<Row[]> {
  try {
    const { status, body } = await client.ask('/readyz?verbose');
    const told = readiness.safeParse(body);
    const needs = told.success ? told.data.checks : [];
    return [
      { id: name, state: status === 200 ? 'up' : 'down', detail: url },
      ...needs.map((check) => ({
        id: `${name}: ${check.name}`,
        state: check.ok ? 'up' : 'down',
        detail: check.detail,
      })),
    ];
  } catch (error) {
    return [failedRow(name, error)];
  }
}

async function agentsRow({ gateway }: Servers): Promise<Row> {
  const items = await allAgents(gateway);
  const online = items.filter((agent) => agent.state === 'online').length;
  const away = items.filter((agent) => agent.state !== 'online').map((agent) => agent.name);
  const list = away.length === 0 ? '' : `; not online: ${away.slice(0, 5).join(', ')}`;
  return { id: 'agents', state: '-', detail: `${online} of ${items.length} online${list}` };
}

async function remediationsRow({ api }: Servers): Promise<Row> {
  const { items } = await api.get('/v1/remediations?limit=100', pageOf(remediationRow));
  const open = items.filter((row) => !isEnded(row.state)).length;
  const newest = items[0] === undefined ? '' : `; the newest is ${items[0].state}`;
  return { id: 'remediations', state: '-', detail: `${open} running${newest}` };
}

async function controlRow({ api }: Servers): Promise<Row> {
  const control = await api.get('/v1/control', controlState);
  const stops = control.stops.map(({ scope, reason }) => `${scopeText(scope)}: ${reason}`);
  if (control.stopped) return { id: 'control', state: 'stopped', detail: control.reason };
  return stops.length === 0
    ? { id: 'control', state: 'allowed', detail: '' }
    : { id: 'control', state: 'stopped in part', detail: stops.join('; ') };
}

const failedRow = (name: string, error: unknown): Row => ({
  id: name.replace(/Row$/, ''),
  state: 'down',
  detail: error instanceof Error ? error.message : String(error),
});

import { Command, Option } from 'commander';
import type { z } from 'zod';
import { deliveryView, pageOf } from '../../contracts/http.ts';
import { sendAlert } from '../alert-send.ts';
import { explainDelivery } from '../alert-why.ts';
import { quarantinedPage } from '../answers.ts';
import { demoNames } from '../demo-alert.ts';
import { fateText } from '../fate-text.ts';
import { ageOf, printListing } from '../output.ts';
import { type CliDeps, examples, limitOption, outputOption, serversOf } from '../session.ts';

/** `fixpoint alert …`: what came in, and what became of it. */
export function alertCommand(deps: CliDeps): Command {
  const alert = new Command('alert').description('alerts that came in, and what became of them');
  addSend(alert, deps);
  addList(alert, deps);
  alert
    .command('why')
    .description('say what became of one delivery, and why nothing happened if nothing did')
    .argument('[delivery]', 'its id, or "last" for the newest', 'last')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint alert why last'))
    .action((id: string, options, command: Command) =>
      explainDelivery({ deps, servers: serversOf(deps, command), id, format: options.output }),
    );
  return alert;
}

function addSend(alert: Command, deps: CliDeps): void {
  alert
    .command('send')
    .description('post an alert as Alertmanager does')
    .addOption(new Option('--demo <name>', 'a demo alert').choices(demoNames))
    .option('--agent <name>', 'the host the demo alert is about', 'agent-2')
    .option('--file <file>', 'a body of your own, as Alertmanager sends it; "-" is standard input')
    .option('--resolved', 'the demo alert is over')
    .option('--print', 'print the body instead of sending it')
    .addOption(outputOption())
    .option(
      '--webhook-token-file <file>',
      'the token Alertmanager has (else FIXPOINT_WEBHOOK_SECRET_ALERTMANAGER[_FILE], else the one of `npm start`)',
    )
    .addHelpText(
      'after',
      examples(
        'fixpoint alert send --demo service-down --agent agent-2',
        'fixpoint alert send --demo disk-full --agent agent-1 --print',
        'fixpoint alert send --file body.json',
      ),
    )
    .action((options, command: Command) =>
      sendAlert({ deps, servers: serversOf(deps, command), options }),
    );
}

function addList(alert: Command, deps: CliDeps): void {
  alert
    .command('ls')
    .description('list what came in, newest first')
    .addOption(limitOption())
    .option('--quarantined', 'instead, the entries that were not usable, with the reason')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint alert ls', 'fixpoint alert ls --quarantined'))
    .action(async (options, command: Command) => {
      const { api } = serversOf(deps, command);
      const query = `/v1/alerts?limit=${options.limit}`;
      if (options.quarantined) {
        return listQuarantined(
          deps,
          options.output,
          await api.get(`${query}&quarantined=true`, quarantinedPage),
        );
      }
      const { items } = await api.get(query, pageOf(deliveryView));
      printListing(deps.terminal, {
        format: options.output,
        rows: items.map((item) => ({
          id: item.deliveryId,
          state: item.outcomes.map(({ fate }) => fateText(fate)).join(', ') || 'waiting',
          ...item,
        })),
        header: ['DELIVERY', 'ALERT', 'STATUS', 'FATE', 'POLICY', 'RECEIVED'],
        cells: (row) => [
          row.id,
          row.name,
          row.status,
          row.state,
          row.outcomes.flatMap(({ policy }) => policy ?? []).join(', '),
          `${ageOf(Date.parse(row.receivedAt), deps.clock.now())} ago`,
        ],
        empty: 'no alert came in yet',
      });
    });
}

function listQuarantined(
  deps: CliDeps,
  format: 'table' | 'json',
  page: z.infer<typeof quarantinedPage>,
): void {
  printListing(deps.terminal, {
    format,
    rows: page.items.map((item) => ({ ...item, state: 'quarantined' })),
    header: ['RECEIVED', 'SOURCE', 'FIELD', 'VALUE', 'REASON'],
    cells: (row) => [row.receivedAt, row.source, row.field, row.value.slice(0, 60), row.reason],
    empty: 'nothing is quarantined',
  });
}

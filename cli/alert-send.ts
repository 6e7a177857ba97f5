import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deliveryView, pageOf, type WebhookAnswer, webhookAnswer } from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import {
  alertmanagerBody,
  alertmanagerFingerprint,
  type RaisedAlert,
} from './alertmanager-body.ts';
import { findStateDir, readSecretFile } from './connection.ts';
import { type DemoName, demoAlert } from './demo-alert.ts';
import { exits } from './outcome.ts';
import type { OutputFormat } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import { type CliDeps, type Servers, selfOf } from './session.ts';

type SendOptions = {
  readonly demo?: DemoName;
  readonly agent: string;
  readonly file?: string;
  readonly resolved?: boolean;
  readonly print?: boolean;
  readonly webhookTokenFile?: string;
  readonly output: OutputFormat;
};

/** Between two looks for the record of what was just sent, and how long to look. */
const look = { everyMs: 200, forMs: 3_000 } as const;

/** Posts a body to the webhook as Alertmanager would, and says what to do next. */
export async function sendAlert(of: {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly options: SendOptions;
}): Promise<void> {
  const { deps, servers, options } = of;
  const raised = options.demo === undefined ? null : raisedBy(deps, options, options.demo);
  const body = raised === null ? bodyFrom(options.file) : JSON.stringify(bodyOf(raised));
  if (options.print) return deps.terminal.out(`${body.trimEnd()}\n`);
  const answer = await servers.api.send(
    { method: 'POST', path: '/v1/webhooks/alertmanager', token: webhookToken(deps, options), body },
    webhookAnswer,
  );
  if (answer.quarantined.length > 0) deps.setExit(exits.usage);
  if (options.output === 'table') printAnswer(deps, answer);
  const isKept = answer.accepted + answer.duplicate > 0;
  const sent = raised === null || !isKept ? null : await deliveryOf(of, raised);
  if (options.output === 'json') {
    return deps.terminal.out(`${plainJson({ id: sent, ...answer })}\n`);
  }
  if (!isKept) return;
  if (sent !== null) deps.terminal.out(`delivery  ${sent}\n`);
  const self = selfOf(deps);
  deps.terminal.err(
    `next: ${self} alert why ${sent ?? 'last'}\n      ${self} remediation tail last   (once its group has waited)\n`,
  );
}

const raisedBy = (deps: CliDeps, options: SendOptions, demo: DemoName): RaisedAlert =>
  demoAlert({
    demo,
    agent: options.agent,
    now: deps.clock.now(),
    resolved: options.resolved === true,
  });

const bodyOf = (alert: RaisedAlert): object =>
  alertmanagerBody({
    alert,
    receiver: 'fixpoint',
    groupBy: ['alertname', 'service'],
    externalUrl: 'http://127.0.0.1:9093',
  });

function bodyFrom(file: string | undefined): string {
  if (file === undefined) {
    throw new FixpointError('invalid_payload', 'nothing to send', {
      hint: 'add --demo service-down --agent agent-2, or --file body.json',
    });
  }
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new FixpointError('invalid_payload', `${file} cannot be read`, { cause });
  }
}

/** Two tokens may be valid while one is replaced; the first is as good as the other. */
function webhookToken(deps: CliDeps, options: SendOptions): string {
  const { environment } = deps;
  const variable = 'FIXPOINT_WEBHOOK_SECRET_ALERTMANAGER';
  const given = environment[variable];
  const stateDir = findStateDir(deps);
  const file =
    options.webhookTokenFile ??
    (environment[`${variable}_FILE`] ||
      (stateDir === null ? undefined : join(stateDir, 'secrets', 'webhook-alertmanager')));
  const text = options.webhookTokenFile === undefined && given ? given : undefined;
  if (text === undefined && file === undefined) {
    throw new FixpointError('unauthenticated', 'the token of the webhook is not known', {
      hint: `name a file with --webhook-token-file, or set ${variable}_FILE`,
    });
  }
  return (text ?? readSecretFile(file ?? '')).split(',')[0]?.trim() ?? '';
}

function printAnswer(deps: CliDeps, answer: WebhookAnswer): void {
  deps.terminal.out(
    `received ${answer.received}, accepted ${answer.accepted}, duplicate ${answer.duplicate}, quarantined ${answer.quarantined.length}\n`,
  );
  for (const { index, field, value, reason } of answer.quarantined) {
    const where = index < 0 ? '' : `alert ${index}: `;
    deps.terminal.err(`error: ${plainLine(`${where}${field} = ${value}: ${reason}`)}\n`);
  }
}

/** The delivery's id, from its record: the record is written when the dispatcher has taken it. */
async function deliveryOf(
  of: { readonly deps: CliDeps; readonly servers: Servers },
  raised: RaisedAlert,
): Promise<string | null> {
  const { clock, interrupted } = of.deps;
  const fingerprint = alertmanagerFingerprint(raised.labels);
  const startsAt = new Date(raised.startsAt).toISOString();
  const until = clock.monotonic() + look.forMs;
  while (clock.monotonic() < until) {
    const { items } = await of.servers.api.get('/v1/alerts?limit=50', pageOf(deliveryView));
    const record = items.find(
      (item) => item.fingerprint === fingerprint && item.startsAt === startsAt,
    );
    if (record !== undefined) return record.deliveryId;
    await clock.sleep(look.everyMs, interrupted);
  }
  return null;
}

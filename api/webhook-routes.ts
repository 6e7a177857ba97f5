import type { FastifyInstance } from 'fastify';
import type { Quarantined } from '../contracts/alert.ts';
import type { WebhookAnswer } from '../contracts/http.ts';
import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Intake } from '../redis/intake.ts';
import { requireBearer } from './auth.ts';
import { rawBodyOf } from './body.ts';
import { alertmanagerSource, type ParsedBody, parseAlertmanager } from './sources/alertmanager.ts';

export type WebhookDeps = {
  readonly intake: Intake;
  readonly webhookSecrets: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly crash: CrashPoints<'api'>;
};

const answeredFlaws = 1_000;

/**
 * Where alerts come in (invariant 1): answered 200 only after every entry is kept, also for an
 * authentic body that is unusable; 503 when nothing can be kept, so that the sender tries again.
 */
export function webhookRoutes(app: FastifyInstance, deps: WebhookDeps): void {
  app.route({
    method: 'POST',
    url: '/v1/webhooks/alertmanager',
    bodyLimit: limits.webhookBodyBytes,
    onRequest: async (request) => requireBearer(request.headers.authorization, deps.webhookSecrets),
    handler: async (request): Promise<WebhookAnswer> => {
      const receivedAt = new Date(deps.clock.now()).toISOString();
      const body = parseAlertmanager(rawBodyOf(request), receivedAt);
      deps.crash('before-append');
      const { accepted, duplicate } = await keep(deps, body);
      deps.crash('after-append');
      sayQuarantined(deps.log, body);
      return {
        received: body.alerts.length + body.quarantined.length,
        accepted,
        duplicate,
        quarantined: body.quarantined.slice(0, answeredFlaws).map(({ index, entry }) => ({
          index,
          field: entry.field,
          value: entry.value,
          reason: entry.reason,
        })),
      };
    },
  });
}

/**
 * All entries in one atomic step. A body of more than 10,000 goes in several: if a later one
 * fails, the sender's repeat finds the earlier ones as duplicates.
 */
async function keep(
  deps: WebhookDeps,
  body: ParsedBody,
): Promise<{ accepted: number; duplicate: number }> {
  const sum = { accepted: 0, duplicate: 0 };
  let quarantined: readonly Quarantined[] = body.quarantined.map(({ entry }) => entry);
  let at = 0;
  do {
    const alerts = body.alerts.slice(at, at + limits.webhookAlertsMax);
    const kept = await append(deps, { source: alertmanagerSource, alerts, quarantined });
    sum.accepted += kept.accepted;
    sum.duplicate += kept.duplicate;
    quarantined = [];
    at += limits.webhookAlertsMax;
  } while (at < body.alerts.length);
  return sum;
}

async function append(
  deps: WebhookDeps,
  of: Parameters<Intake['append']>[0],
): Promise<{ readonly accepted: number; readonly duplicate: number }> {
  const kept = await deps.intake.append(of).catch((cause: unknown) => {
    deps.log.warn({ error: cause }, 'a webhook was not kept: Redis did not answer');
    throw new FixpointError('upstream_unavailable', 'nothing can be kept now', {
      cause,
      hint: 'send the same body again; entries that were kept are known',
    });
  });
  if (kept.kind === 'kept') return kept;
  deps.log.warn({ backlog: kept.backlog }, 'a webhook was not kept: the intake is full');
  throw new FixpointError('intake_full', `${kept.backlog} entries wait; send it again later`);
}

/** The reason of a refusal is logged, never the body (webhooks.md, rule 7). */
function sayQuarantined(log: Log, body: ParsedBody): void {
  const [first] = body.quarantined;
  if (!first) return;
  const { field, reason } = first.entry;
  log.warn(
    { count: body.quarantined.length, index: first.index, field, reason },
    'entries were quarantined',
  );
}

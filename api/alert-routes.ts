import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Fate } from '../contracts/alert.ts';
import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Deliveries, Delivery } from '../redis/deliveries.ts';
import { queryOf } from './body.ts';
import { guardsOf } from './mailbox-guards.ts';
import type { TemporalDeps } from './temporal-call.ts';

const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(limits.pageMax).default(limits.pageDefault),
  quarantined: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
});

/** What came in and what became of it; why nothing happened (names 6). */
export function alertRoutes(
  app: FastifyInstance,
  deps: TemporalDeps & { readonly deliveries: Deliveries },
): void {
  app.get('/v1/alerts', async (request) => {
    const { limit, quarantined } = queryOf(request, listQuery);
    const items = quarantined
      ? (await fromRedis(deps.deliveries.quarantined(limit))).map((entry) => ({
          ...entry,
          state: 'quarantined',
        }))
      : (await fromRedis(deps.deliveries.latest(limit))).map(viewOf);
    return { items, next: null };
  });
  app.get<{ Params: { deliveryId: string } }>('/v1/alerts/:deliveryId', async (request) => {
    const found = await fromRedis(deps.deliveries.find(request.params.deliveryId));
    if (found !== null) return { ...viewOf(found), mailboxes: await mailboxesOf(deps, found) };
    throw new FixpointError('not_found', 'there is no record of this delivery', {
      hint: 'it may still wait for the dispatcher, or be older than a day; see `fixpoint alert ls`',
    });
  });
}

/** Mailboxes that the delivery was handed to, each with its guards as they stand now. Never rejects. */
async function mailboxesOf(deps: TemporalDeps, { outcomes }: Delivery) {
  const ids = outcomes.flatMap(({ mailboxId }) => mailboxId ?? []);
  return Promise.all(ids.map(async (id) => ({ id, guards: await guardsOf(deps, id) })));
}

const viewOf = (delivery: Delivery) => ({
  id: delivery.deliveryId,
  state: delivery.outcomes.map(({ fate }) => fateText(fate)).join(', '),
  ...delivery,
});

const fateText = (fate: Fate): string =>
  'reason' in fate ? `${fate.kind}(${fate.reason})` : fate.kind;

async function fromRedis<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw new FixpointError('upstream_unavailable', 'Redis did not answer', { cause });
  }
}

import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Inventory } from './inventory.ts';
import type { Presence } from './presence.ts';
import { checked } from './problem.ts';

export type AgentRoutesDeps = {
  readonly inventory: Inventory;
  readonly presence: Presence;
};

/** It is a POST because its question is long; it changes nothing. */
export const agentQueryPath = '/v1/agents/query';

const queryIdsMax = 10_000;
const agentParams = z.object({ agent: z.string().min(1).max(253) });
const count = z.coerce.number().pipe(z.int().min(1).max(limits.pageMax));
const listQuery = z.object({
  limit: count.default(limits.pageDefault),
  /** Name of the last agent of the page before. */
  cursor: z.string().max(253).default(''),
});
const queryBody = z.object({ ids: z.array(z.string().max(253)).min(1).max(queryIdsMax) });

/** `/v1/agents…` (design 5.8). An agent may be named by its id or its name. */
export function agentRoutes(app: FastifyInstance, { inventory, presence }: AgentRoutesDeps): void {
  app.get('/v1/agents', async (request) => {
    const { limit, cursor } = checked(listQuery, request.query);
    const following = inventory.all().filter(({ name }) => name > cursor);
    const items = await presence.views(following.slice(0, limit));
    return { items, next: following.length > limit ? (items.at(-1)?.name ?? null) : null };
  });

  app.get('/v1/agents/:agent', async (request) => {
    const { agent } = checked(agentParams, request.params);
    const found = inventory.find(agent);
    const [view] = found === undefined ? [] : await presence.views([found]);
    if (view !== undefined) return view;
    throw new FixpointError('not_found', `no agent ${agent} is enrolled`, {
      hint: '`fixpoint agent ls` lists the enrolled agents',
    });
  });

  app.post(agentQueryPath, async (request) => {
    const { ids } = checked(queryBody, request.body);
    const found = ids.flatMap((id) => inventory.find(id) ?? []);
    // Said by name: partial never means all (invariant 6).
    const missing = ids.filter((id) => inventory.find(id) === undefined);
    return { items: await presence.views(found), missing };
  });
}

import { z } from 'zod';
import { pageOf } from '../contracts/http.ts';
import { type AgentView, agentId, agentView } from '../contracts/task.ts';
import { slices } from '../domain/slices.ts';
import type { Client } from './client.ts';

const pageRows = 1_000;
const pagesMax = 100;
/** Ids of one query, as the gateway takes them. */
const queryIdsMax = 10_000;
const queried = z.object({ items: z.array(agentView) });

/** Every enrolled agent, by name; at most 100,000. */
export async function allAgents(gateway: Client): Promise<AgentView[]> {
  const agents: AgentView[] = [];
  let cursor = '';
  for (let page = 0; page < pagesMax; page += 1) {
    const { items, next } = await gateway.get(
      `/v1/agents?limit=${pageRows}&cursor=${encodeURIComponent(cursor)}`,
      pageOf(agentView),
    );
    agents.push(...items);
    if (next === null) break;
    cursor = next;
  }
  return agents;
}

/** Those of the agents that are enrolled, by id. */
export async function agentsById(
  gateway: Client,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AgentView>> {
  const found = new Map<string, AgentView>();
  for (const some of slices(ids, queryIdsMax)) {
    const body = { ids: some };
    const { items } = await gateway.send(
      { method: 'POST', path: '/v1/agents/query', body },
      queried,
    );
    for (const agent of items) found.set(agent.id, agent);
  }
  return found;
}

/** The id of an agent given by name or id; an id is not looked up, because its host may be gone. */
export async function idOfAgent(gateway: Client, given: string): Promise<string> {
  if (agentId.safeParse(given).success) return given;
  return (await gateway.get(`/v1/agents/${encodeURIComponent(given)}`, agentView)).id;
}

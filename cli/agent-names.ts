import { pageOf } from '../contracts/http.ts';
import { agentId, agentView } from '../contracts/task.ts';
import type { Client } from './client.ts';

/** Names of the enrolled agents by their id, for tables. */
export async function agentNames(gateway: Client): Promise<ReadonlyMap<string, string>> {
  const { items } = await gateway.get('/v1/agents?limit=1000', pageOf(agentView));
  return new Map(items.map((agent) => [agent.id, agent.name]));
}

/** The id of an agent given by name or id; an id is not looked up, because its host may be gone. */
export async function idOfAgent(gateway: Client, given: string): Promise<string> {
  if (agentId.safeParse(given).success) return given;
  return (await gateway.get(`/v1/agents/${encodeURIComponent(given)}`, agentView)).id;
}

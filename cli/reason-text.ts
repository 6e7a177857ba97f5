import type { AgentView } from '../contracts/task.ts';
import { reasonHints } from '../domain/job.ts';
import { ageOf } from './output.ts';

/**
 * A job's reason in one line, with what to do: the hint of its table, or, where the agent says more,
 * how it is now. `now` is Unix milliseconds. A reason of a newer agent is told as it is.
 */
export function reasonText(
  reason: string,
  of: { readonly agent: AgentView | undefined; readonly now: number },
): string {
  const hint = (Object.hasOwn(reasonHints, reason) && reasonHints[reason]) || reason;
  const { agent, now } = of;
  if (agent === undefined) return hint;
  if (reason === 'offline') return offlineText(agent, now);
  if (reason === 'locked' && agent.lock !== null) {
    const why = agent.lock.reason === '' ? '' : `: ${agent.lock.reason}`;
    return `agent locked by ${agent.lock.by} ${ageOf(agent.lock.at, now)} ago${why}; nothing ran`;
  }
  return hint;
}

function offlineText(agent: AgentView, now: number): string {
  const { lastSeenAt, state, name } = agent;
  if (lastSeenAt === null) {
    return 'the agent was never here; nothing ran. Was it installed, and may it reach a gateway?';
  }
  if (state === 'online') return 'the agent was offline then, and is online now; nothing ran';
  const seen = new Date(lastSeenAt).toISOString();
  return `agent offline for ${ageOf(lastSeenAt, now)}; last seen ${seen}; nothing ran. \`fixpoint agent show ${name}\``;
}

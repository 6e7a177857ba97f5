import type { ControlState, LockUpdate } from '../contracts/control.ts';
import { limits } from '../contracts/limits.ts';
import { stopsTable } from './control-stops.ts';

const isLocked = ({ locked = [] }: ControlState, agentId: string): boolean =>
  locked.some((lock) => lock.agentId === agentId);

/** The locks with one more; one that stands keeps its first reason. */
export const withLock = (state: ControlState, { agentId, reason, by }: LockUpdate) =>
  isLocked(state, agentId)
    ? (state.locked ?? [])
    : [...(state.locked ?? []), { agentId, reason, by, at: Date.now() }];

/** The locks without an agent's. */
export const without = ({ locked = [] }: ControlState, agentId: string) =>
  locked.filter((lock) => lock.agentId !== agentId);

/** Throws if no more may be locked. */
export function refuseTooMany(state: ControlState, { agentId }: LockUpdate): void {
  if (isLocked(state, agentId) || (state.locked ?? []).length < limits.lockedAgentsMax) return;
  throw new Error(`${limits.lockedAgentsMax} agents are locked; unlock some, or stop everything`);
}

/** What Temporal UI shows of the switch: Markdown, a line each for it, every lock and every breaker. */
export function detailsOf(state: ControlState): string {
  const locks = (state.locked ?? []).map(
    ({ agentId, by, reason }) => `- **locked** ${agentId} by ${by}: ${reason || 'no reason given'}`,
  );
  const { stops = [] } = state;
  const line = state.stopped
    ? `**stopped** by ${state.by || 'nobody'}: ${state.reason || 'no reason given'}`
    : `allowed: agents may start jobs${stops.length === 0 ? '' : ', but of these'}`;
  const breakers = (state.breakers ?? []).map(
    ({ policy, by, reason, untilMs }) =>
      `- **breaker** of ${policy} open until ${new Date(untilMs).toISOString()} by ${by}: ${reason}`,
  );
  return [line, ...stopsTable(stops), ...locks, ...breakers].join('\n');
}

import { condition } from '@temporalio/workflow';
import type { StandingStop } from '../contracts/stop.ts';
import { allowCommand, stopText } from '../domain/stop-scope.ts';
import type { RunState } from './run-state.ts';

/** Why a stopped repair waits, and how it goes on. */
const waitingText = (stop: StandingStop): string =>
  `${stopText(stop)}; it goes on after \`${allowCommand(stop.scope)}\``;

/**
 * Waits while the repair's policy is stopped, for as long as it takes, as for an operator's pause whose
 * owner is the stop: nothing starts, the proof neither (invariant 4). Ends early when the repair is
 * cancelled or `isOver`. Returns how long it waited, which no time limit of the repair counts.
 */
export async function passStop(
  run: RunState,
  isOver: () => boolean = () => false,
): Promise<number> {
  const mayGoOn = () => run.stop === null || run.cancelRequest !== null || isOver();
  if (mayGoOn()) return 0;
  const since = Date.now();
  const before = run.phase;
  const reasonBefore = run.reason;
  run.pausedIn = before;
  while (!mayGoOn()) {
    const { stop } = run;
    run.enter('paused', { reason: stop === null ? null : waitingText(stop) });
    await condition(() => mayGoOn() || run.stop !== stop);
  }
  run.pausedIn = null;
  run.enter(before, { reason: reasonBefore });
  return Date.now() - since;
}

import { defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import type {
  Breaker,
  CloseBreakerUpdate,
  OpenBreakerUpdate,
  RepairEndedSignal,
  TryAnswer,
  TryBreakerUpdate,
} from '../contracts/breaker.ts';
import type { ControlState } from '../contracts/control.ts';
import { limits } from '../contracts/limits.ts';
import { signalNames, updateNames } from '../contracts/temporal.ts';
import { afterRepair, closedByHand, openedByHand, tried } from '../domain/breaker.ts';
import type { FailureBook } from '../domain/failure-book.ts';
import type { Change } from './control-messages.ts';

const none: readonly Breaker[] = [];

const repairEndedSignal = defineSignal<[RepairEndedSignal]>(signalNames.repairEnded);
const openUpdate = defineUpdate<ControlState, [OpenBreakerUpdate]>(updateNames.openBreaker);
const closeUpdate = defineUpdate<ControlState, [CloseBreakerUpdate]>(updateNames.closeBreaker);
const tryUpdate = defineUpdate<TryAnswer, [TryBreakerUpdate]>(updateNames.tryBreaker);

/**
 * Answers what the control workflow is told of breakers. No handler waits (decision 32): each takes its
 * word in at once, and what changed is published beside that.
 */
export function handleBreakers(of: {
  readonly state: () => ControlState;
  readonly change: Change;
  readonly failures: FailureBook;
  /** Called for what is taken in and not published. */
  readonly heard: () => void;
}): void {
  const { state, change, failures, heard } = of;
  const open = (): readonly Breaker[] => state().breakers ?? none;
  const keep = (breakers: readonly Breaker[], summary: string): void => {
    if (breakers === open()) heard();
    // Where a change waits to be published it may fail, and then the janitor publishes it.
    else void Promise.resolve(change({ breakers }, summary)).catch(() => {});
  };
  setHandler(repairEndedSignal, (told) => {
    const breakers = afterRepair(open(), failures, { ...told, nowMs: Date.now() });
    keep(breakers, `breaker · ${told.policy} · ${told.state}`);
  });
  setHandler(tryUpdate, (update) => {
    const { open: breakers, answer } = tried(open(), { ...update, nowMs: Date.now() });
    keep(breakers, `breaker · ${update.policy} · one tries`);
    return answer;
  });
  setHandler(
    openUpdate,
    (update) =>
      change(
        { breakers: openedByHand(open(), { ...update, nowMs: Date.now() }) },
        `open breaker · ${update.policy} · ${update.by}`,
      ),
    { validator: (update) => refuseUnusable(open(), update) },
  );
  setHandler(
    closeUpdate,
    (update) =>
      change(
        { breakers: closedByHand(open(), failures, update) },
        `close breaker · ${update.policy} · ${update.by}`,
      ),
    { validator: refuseIncomplete },
  );
}

/** Throws for what a person may mistype in Temporal UI, and for one too many. */
function refuseUnusable(open: readonly Breaker[], update: OpenBreakerUpdate): void {
  const { openForMs = limits.breakerOpenMs } = update;
  refuseIncomplete(update);
  if (!(openForMs > 0 && openForMs <= limits.breakerOpenMsMax)) {
    throw new Error('openForMs must be milliseconds, from 1 to those of 365 days');
  }
  if (open.length >= limits.breakersMax) throw new Error(`${limits.breakersMax} breakers are open`);
}

/** Whoever opens or closes one says which, who they are and why: others must be able to judge it. */
function refuseIncomplete(update: CloseBreakerUpdate): void {
  for (const field of ['policy', 'by', 'reason'] as const) {
    const value: unknown = update[field];
    if (typeof value === 'string' && value.trim() !== '') continue;
    throw new Error(`${field} is missing; give {"policy": "…", "by": "…", "reason": "…"}`);
  }
}

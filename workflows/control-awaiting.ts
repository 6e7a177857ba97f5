import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  currentUpdateInfo,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { ControlInput, ControlState } from '../contracts/control.ts';
import { limits } from '../contracts/limits.ts';
import { FailureBook } from '../domain/failure-book.ts';
import { core } from './activity-proxies.ts';
import { handleBreakers } from './control-breakers.ts';
import { detailsOf } from './control-locks.ts';
import { handleMessages } from './control-messages.ts';

/** Updates after which this run hands over to a fresh one: far below every limit of a run. */
const updatesMax = limits.controlUpdatesKept;
/** Times a change is published while something newer keeps turning up in the cache. */
const publishesMax = 10;

/**
 * Goes on with a run of `control` that was begun when updates still waited for the cache: they
 * return once it says the same. Decision 32 says why no run is begun so any more.
 *
 * An update that comes again under its id is done once: within a run Temporal sees to that and
 * answers as the first time, also that it failed. It forgets all ids when the run continues as new,
 * so a run tells the next which updates it did, and that one answers with the state as it is then.
 * An update that failed is not among those: under a new run it is done anew.
 */
export async function controlAwaiting(input: ControlInput): Promise<never> {
  let state = input.state;
  let updates = 0;
  const before = new Set(input.done);
  const done: string[] = [];
  /** False if the cache does not hold this state, because others write there without end. */
  const publish = async (summary: string): Promise<boolean> => {
    for (let tries = 0; tries < publishesMax; tries++) {
      const { revision } = state;
      const standing = await core.publishControl.executeWithOptions({ summary }, [state]);
      // Also taken: a worker of an older version, which answers nothing.
      if (!(standing > revision)) return true;
      // A later change of this switch, or a stranger's write, or one from before a clock went back.
      if (standing > state.revision) state = { ...state, revision: standing + 1 };
    }
    return false;
  };
  const change = async (next: Partial<ControlState>, summary: string): Promise<ControlState> => {
    const id = currentUpdateInfo()?.id;
    if (id !== undefined && before.has(id)) return state;
    updates += 1;
    // Past every revision of a run before that Temporal may have lost: the cache keeps the newer.
    state = { ...state, ...next, revision: Math.max(state.revision + 1, Date.now()) };
    setCurrentDetails(detailsOf(state));
    if (await publish(summary)) {
      if (id !== undefined) done.push(id);
      return state;
    }
    throw ApplicationFailure.nonRetryable(
      `gateways may not know of it: ${publishesMax} times somebody else wrote the control state in Redis meanwhile`,
    );
  };
  const failures = new FailureBook(input.failures);
  const heard = () => {
    updates += 1;
  };
  handleMessages(() => state, change);
  handleBreakers({ state: () => state, change, failures, heard });
  setCurrentDetails(detailsOf(state));
  // A fresh installation has no cache yet, and missing means stopped (invariant 4). What cannot be
  // published now the janitor finds and asks for again.
  await publish('begin');
  await condition(() => updates >= updatesMax || workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  const kept = [...before, ...done].slice(-limits.controlUpdatesKept);
  const carried = { done: kept, failures: failures.carried() };
  return continueAsNew<typeof controlAwaiting>({ state, ...carried });
}

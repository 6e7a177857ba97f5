import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type ControlInput,
  type ControlState,
  type ControlUpdate,
  queryNames,
  updateNames,
} from '../contracts/temporal.ts';
import { core } from './activity-proxies.ts';

export const stopUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.stop);
export const allowUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.allow);
export const controlStateQuery = defineQuery<ControlState>(queryNames.state);

/** Updates after which this run hands over to a fresh one: far below every limit of a run. */
const updatesMax = 500;

/**
 * The kill switch, durable: its truth is here, Redis holds a cache (design 3). An update returns
 * once the cache says the same, so that whoever pressed knows that it holds.
 */
export async function control(input: ControlInput): Promise<never> {
  let state = input.state;
  let updates = 0;
  const change = async (stopped: boolean, update: ControlUpdate): Promise<ControlState> => {
    updates += 1;
    state = {
      // Past every revision of a run before that Temporal may have lost: the cache keeps the newer.
      revision: Math.max(state.revision + 1, Date.now()),
      stopped,
      reason: update.reason,
      by: update.by,
      at: Date.now(),
    };
    setCurrentDetails(detailsOf(state));
    await core.publishControl.executeWithOptions(
      { summary: stopped ? `stop · ${update.by}` : `allow · ${update.by}` },
      [state],
    );
    return state;
  };
  setHandler(controlStateQuery, () => state);
  setHandler(stopUpdate, (update) => change(true, update));
  setHandler(allowUpdate, (update) => change(false, update));
  setCurrentDetails(detailsOf(state));
  // A fresh installation has no cache yet, and missing means stopped (invariant 4).
  await core.publishControl(state);
  await condition(() => updates >= updatesMax || workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  return continueAsNew<typeof control>({ state });
}

const detailsOf = (state: ControlState): string =>
  state.stopped
    ? `**stopped** by ${state.by || 'nobody'}: ${state.reason || 'no reason given'}`
    : 'allowed: agents may start jobs';

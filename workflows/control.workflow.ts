import {
  condition,
  continueAsNew,
  currentUpdateInfo,
  patched,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { ControlInput, ControlState } from '../contracts/control.ts';
import { limits } from '../contracts/limits.ts';
import { FailureBook } from '../domain/failure-book.ts';
import { publishing } from './activity-proxies.ts';
import { controlAwaiting } from './control-awaiting.ts';
import { handleBreakers } from './control-breakers.ts';
import { detailsOf } from './control-locks.ts';
import { type Change, handleMessages } from './control-messages.ts';

/** Updates after which this run hands over to a fresh one: far below every limit of a run. */
const updatesMax = limits.controlUpdatesKept;

/**
 * The kill switch, the agent locks and the breakers of policies, durable: their truth is here, Redis holds a cache (design
 * 3). An update changes the truth and returns at once; it is published beside that, and the cache
 * keeps the newest. Who must know that gateways know waits for the cache to say so
 * (`platform/control-switch.ts`), and asks for `republish` if something newer keeps it out.
 *
 * No handler waits, and the end of a publication makes no command: so it does not matter in which
 * order Temporal hands over an update and the end of an activity that came together. That order is
 * not the same when a run is replayed (decision 32), and a switch that cannot be replayed cannot be
 * thrown.
 *
 * An update that comes again under its id is done once: within a run Temporal sees to that and
 * answers as the first time. It forgets all ids when the run continues as new, so a run tells the
 * next which updates it did, and that one answers with the state as it is then.
 */
export async function control(input: ControlInput): Promise<never> {
  if (!patched('control-publishes-beside')) return controlAwaiting(input);
  let state = input.state;
  let updates = 0;
  const before = new Set(input.done);
  const done: string[] = [];
  const failures = new FailureBook(input.failures);
  const change: Change = (next, summary, past = 0) => {
    const id = currentUpdateInfo()?.id;
    if (id !== undefined && before.has(id)) return state;
    updates += 1;
    if (id !== undefined) done.push(id);
    // Past every revision of a run before that Temporal may have lost: the cache keeps the newer.
    const revision = Math.max(state.revision + 1, past + 1, Date.now());
    state = { ...state, ...next, revision };
    publish(state, summary);
    return state;
  };
  const heard = () => {
    updates += 1;
  };
  handleMessages(() => state, change);
  handleBreakers({ state: () => state, change, failures, heard });
  // A fresh installation has no cache yet, and missing means stopped (invariant 4). A publication
  // that the run before left behind is made up for here.
  publish(state, 'begin');
  await condition(() => updates >= updatesMax || workflowInfo().continueAsNewSuggested);
  const kept = [...before, ...done].slice(-limits.controlUpdatesKept);
  return continueAsNew<typeof control>({ state, done: kept, failures: failures.carried() });
}

/** Begins to publish `state`; nobody waits for it here. What fails for good the janitor finds. */
function publish(state: ControlState, summary: string): void {
  setCurrentDetails(detailsOf(state));
  publishing({ summary })
    .publishControl(state)
    .catch(() => {});
}

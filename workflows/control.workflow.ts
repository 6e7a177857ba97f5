import {
  condition,
  continueAsNew,
  currentUpdateInfo,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { limits } from '../contracts/limits.ts';
import type { ControlInput, ControlState, ControlUpdate } from '../contracts/temporal.ts';
import { core } from './activity-proxies.ts';
import { controlAwaiting } from './control-awaiting.ts';
import { detailsOf, refuseTooMany, withLock, without } from './control-locks.ts';
import {
  allowUpdate,
  controlStateQuery,
  lockAgentUpdate,
  republishUpdate,
  stopUpdate,
  unlockAgentUpdate,
} from './control-messages.ts';

/** Updates after which this run hands over to a fresh one: far below every limit of a run. */
const updatesMax = limits.controlUpdatesKept;
/** When Redis is back, a stop is published within this. */
const publishRetry = { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '2 s' };

/**
 * The kill switch and the agent locks, durable: their truth is here, Redis holds a cache (design
 * 3). An update changes the truth and returns at once; the change is published beside it, the
 * newest one only. Who must know that gateways know waits for the cache to say so
 * (`platform/control-switch.ts`), and asks for `republish` if something newer keeps it out.
 *
 * No handler waits, and no end of a publication makes a command by itself: so it does not matter
 * in which order Temporal hands over an update and the end of an activity that came together. That
 * order is not the same when a run is replayed (decision 32), and a switch that cannot be replayed
 * cannot be thrown.
 *
 * An update that comes again under its id is done once: within a run Temporal sees to that and
 * answers as the first time. It forgets all ids when the run continues as new, so a run tells the
 * next which updates it did, and that one answers with the state as it is then.
 */
export async function control(input: ControlInput): Promise<never> {
  if (!patched('control-publishes-beside')) return controlAwaiting(input);
  let state = input.state;
  let updates = 0;
  let summary = 'begin';
  const before = new Set(input.done);
  const done: string[] = [];
  const change = (next: Partial<ControlState>, what: string, above = 0): ControlState => {
    const id = currentUpdateInfo()?.id;
    if (id !== undefined && before.has(id)) return state;
    updates += 1;
    if (id !== undefined) done.push(id);
    // Past every revision of a run before that Temporal may have lost: the cache keeps the newer.
    const revision = Math.max(state.revision + 1, above + 1, Date.now());
    state = { ...state, ...next, revision };
    summary = what;
    setCurrentDetails(detailsOf(state));
    return state;
  };
  const throwSwitch = (stopped: boolean, { by, reason }: ControlUpdate) =>
    change({ stopped, reason, by, at: Date.now() }, `${stopped ? 'stop' : 'allow'} · ${by}`);
  setHandler(controlStateQuery, () => state);
  setHandler(stopUpdate, (update) => throwSwitch(true, update));
  setHandler(allowUpdate, (update) => throwSwitch(false, update));
  setHandler(
    lockAgentUpdate,
    (update) =>
      change({ locked: withLock(state, update) }, `lock ${update.agentId} · ${update.by}`),
    { validator: (update) => refuseTooMany(state, update) },
  );
  setHandler(unlockAgentUpdate, ({ agentId, by }) =>
    change({ locked: without(state, agentId) }, `unlock ${agentId} · ${by}`),
  );
  setHandler(republishUpdate, (of) => change({}, 'publish again', of?.standing));
  setCurrentDetails(detailsOf(state));
  // A fresh installation has no cache yet, and missing means stopped (invariant 4).
  let published: number | null = null;
  const isDue = () => updates >= updatesMax || workflowInfo().continueAsNewSuggested;
  for (;;) {
    await condition(() => state.revision !== published || isDue());
    const { revision } = state;
    if (revision === published) break;
    await core.publishControl.executeWithOptions({ summary, retry: publishRetry }, [state]);
    published = revision;
  }
  const kept = [...before, ...done].slice(-limits.controlUpdatesKept);
  return continueAsNew<typeof control>({ state, done: kept });
}

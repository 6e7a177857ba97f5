import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  currentUpdateInfo,
  defineQuery,
  defineUpdate,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { limits } from '../contracts/limits.ts';
import {
  type ControlInput,
  type ControlState,
  type ControlUpdate,
  type LockUpdate,
  queryNames,
  updateNames,
} from '../contracts/temporal.ts';
import { core } from './activity-proxies.ts';

export const stopUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.stop);
export const allowUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.allow);
export const lockAgentUpdate = defineUpdate<ControlState, [LockUpdate]>(updateNames.lockAgent);
export const unlockAgentUpdate = defineUpdate<ControlState, [LockUpdate]>(updateNames.unlockAgent);
export const republishUpdate = defineUpdate<ControlState>(updateNames.republish);
export const controlStateQuery = defineQuery<ControlState>(queryNames.state);

/** Updates after which this run hands over to a fresh one: far below every limit of a run. */
const updatesMax = limits.controlUpdatesKept;
/** Times a change is published while something newer keeps turning up in the cache. */
const publishesMax = 10;

/**
 * The kill switch and the agent locks, durable: their truth is here, Redis holds a cache (design
 * 3). An update returns once the cache says the same, so that whoever pressed knows that it holds.
 *
 * An update that comes again under its id is done once: within a run Temporal sees to that and
 * answers as the first time, also that it failed. It forgets all ids when the run continues as new,
 * so a run tells the next which updates it did, and that one answers with the state as it is then.
 * An update that failed is not among those: under a new run it is done anew.
 */
export async function control(input: ControlInput): Promise<never> {
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
  setHandler(republishUpdate, () => change({}, 'publish again'));
  setCurrentDetails(detailsOf(state));
  // A fresh installation has no cache yet, and missing means stopped (invariant 4). What cannot be
  // published now the janitor finds and asks for again.
  await publish('begin');
  await condition(() => updates >= updatesMax || workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  const kept = [...before, ...done].slice(-limits.controlUpdatesKept);
  return continueAsNew<typeof control>({ state, done: kept });
}

const isLocked = ({ locked = [] }: ControlState, agentId: string): boolean =>
  locked.some((lock) => lock.agentId === agentId);

const withLock = (state: ControlState, { agentId, reason, by }: LockUpdate) =>
  isLocked(state, agentId)
    ? (state.locked ?? [])
    : [...(state.locked ?? []), { agentId, reason, by, at: Date.now() }];

const without = ({ locked = [] }: ControlState, agentId: string) =>
  locked.filter((lock) => lock.agentId !== agentId);

function refuseTooMany(state: ControlState, { agentId }: LockUpdate): void {
  if (isLocked(state, agentId) || (state.locked ?? []).length < limits.lockedAgentsMax) return;
  throw new Error(`${limits.lockedAgentsMax} agents are locked; unlock some, or stop everything`);
}

function detailsOf(state: ControlState): string {
  const locks = (state.locked ?? []).map(
    ({ agentId, by, reason }) => `- **locked** ${agentId} by ${by}: ${reason || 'no reason given'}`,
  );
  const line = state.stopped
    ? `**stopped** by ${state.by || 'nobody'}: ${state.reason || 'no reason given'}`
    : 'allowed: agents may start jobs';
  return [line, ...locks].join('\n');
}

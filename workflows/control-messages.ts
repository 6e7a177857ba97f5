import { defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import type {
  ControlState,
  ControlUpdate,
  LockUpdate,
  RepublishUpdate,
} from '../contracts/control.ts';
import { queryNames, updateNames } from '../contracts/temporal.ts';
import { scopeText } from '../domain/stop-scope.ts';
import { refuseTooMany, withLock, without } from './control-locks.ts';
import { refuseTooManyStops, thrown } from './control-stops.ts';

const stopUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.stop);
const allowUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.allow);
const lockAgentUpdate = defineUpdate<ControlState, [LockUpdate]>(updateNames.lockAgent);
const unlockAgentUpdate = defineUpdate<ControlState, [LockUpdate]>(updateNames.unlockAgent);
const republishUpdate = defineUpdate<ControlState, [RepublishUpdate?]>(updateNames.republish);
const stateQuery = defineQuery<ControlState>(queryNames.state);

/** What an update changes, what of it people read, and the revision that the new state must go past. */
export type Change = (
  next: Partial<ControlState>,
  summary: string,
  past?: number,
) => ControlState | Promise<ControlState>;

/** Answers the updates and the query of the control workflow: each update is one `change` of `state`. */
export function handleMessages(state: () => ControlState, change: Change): void {
  const throwSwitch = (stopped: boolean, update: ControlUpdate) => {
    const of = update.scope === undefined ? '' : ` ${scopeText(update.scope)}`;
    const summary = `${stopped ? 'stop' : 'allow'}${of} · ${update.by}`;
    return change(thrown(state(), { ...update, stopped, at: Date.now() }), summary);
  };
  setHandler(stateQuery, state);
  setHandler(stopUpdate, (update) => throwSwitch(true, update), {
    validator: (update) => refuseTooManyStops(state(), update),
  });
  setHandler(allowUpdate, (update) => throwSwitch(false, update));
  setHandler(
    lockAgentUpdate,
    (update) =>
      change({ locked: withLock(state(), update) }, `lock ${update.agentId} · ${update.by}`),
    { validator: (update) => refuseTooMany(state(), update) },
  );
  setHandler(unlockAgentUpdate, ({ agentId, by }) =>
    change({ locked: without(state(), agentId) }, `unlock ${agentId} · ${by}`),
  );
  setHandler(republishUpdate, (of) => change({}, 'publish again', of?.standing));
}

import { WithStartWorkflowOperation } from '@temporalio/client';
import type {
  ControlInput,
  ControlState,
  ControlUpdate,
  LockUpdate,
} from '../contracts/control.ts';
import { taskQueues, workflowIds, workflowTypes } from '../contracts/temporal.ts';
import { type ControlView, untilCached } from '../platform/control-switch.ts';
import { updateIdOf } from './operator-request.ts';
import { callTemporal } from './temporal-call.ts';

type Control = (input: ControlInput) => Promise<never>;

const callMs = 10_000;

/** A switch of which nothing is known. */
export const untouched: ControlState = { revision: 0, stopped: false, reason: '', by: '', at: 0 };

/**
 * Returns once the gateways' cache says the same, with what it says. The same wish under the same
 * key is done once, whenever it comes again.
 */
export async function updateControl<Update extends ControlUpdate | LockUpdate>(
  deps: ControlView,
  of: { readonly name: string; readonly wish: Update; readonly key: string },
): Promise<ControlState> {
  const input: ControlInput = { state: await seed(deps.control) };
  const changed = await callTemporal(deps, callMs, () =>
    deps.client.workflow.executeUpdateWithStart<Control, ControlState, [Update]>(of.name, {
      args: [of.wish],
      updateId: updateIdOf(of),
      startWorkflowOperation: new WithStartWorkflowOperation<Control>(workflowTypes.control, {
        workflowId: workflowIds.control,
        taskQueue: taskQueues.workflows,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    }),
  );
  return callTemporal(deps, callMs, () => untilCached(deps, changed));
}

/**
 * What a switch that does not run yet begins with: a Temporal that lost it is told by the cache, so
 * that what was stopped or locked stays so. While the cache cannot be asked that is a stop.
 */
async function seed(control: ControlView['control']): Promise<ControlState> {
  try {
    return (await control.read()) ?? untouched;
  } catch {
    return { ...untouched, stopped: true, reason: 'the control state before could not be read' };
  }
}

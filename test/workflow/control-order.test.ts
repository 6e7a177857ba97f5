import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import proto, { type coresdk } from '@temporalio/proto';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import { VMWorkflowCreator } from '@temporalio/worker/lib/workflow/vm.js';
import { type ControlState, updateNames, workflowTypes } from '../../contracts/temporal.ts';
import { workflowBundle } from '../support/workflow-environment.ts';

type Jobs = readonly coresdk.workflow_activation.IWorkflowActivationJob[];

const runId = '01234567-89ab-cdef-0123-456789abcdef';
const startedAt = { seconds: 1_800_000_000, nanos: 0 };
const state: ControlState = { revision: 1, stopped: false, reason: '', by: '', at: 0 };
const payload = (value: unknown) => defaultPayloadConverter.toPayload(value);

const begin: Jobs = [
  {
    initializeWorkflow: {
      workflowId: 'control:order',
      workflowType: workflowTypes.control,
      arguments: [payload({ state })],
    },
  },
];
const stop = (id: string): coresdk.workflow_activation.IWorkflowActivationJob => ({
  doUpdate: {
    id,
    protocolInstanceId: id,
    name: updateNames.stop,
    input: [payload({ by: 'anna', reason: id })],
    meta: { updateId: id },
    runValidator: true,
  },
});
const published = (seq: number): coresdk.workflow_activation.IWorkflowActivationJob => ({
  resolveActivity: { seq, result: { completed: { result: payload(1) } } },
});

/** The commands of a run that is handed these jobs, activation by activation, in their order. */
async function commandsOf(activations: readonly Jobs[]): Promise<readonly string[]> {
  const { code } = await workflowBundle();
  const creator = await VMWorkflowCreator.create(parseWorkflowCode(code), 5_000, new Set());
  const workflow = await creator.createWorkflow({
    info: {
      ...{ runId, workflowId: 'control:order', workflowType: workflowTypes.control },
      ...{ firstExecutionRunId: runId, namespace: 'default', taskQueue: 'q', attempt: 1 },
      ...{ searchAttributes: {}, typedSearchAttributes: {}, memo: {}, historyLength: 3 },
      ...{ historySize: 300, continueAsNewSuggested: false, startTime: new Date(0) },
      ...{ runStartTime: new Date(0), taskTimeoutMs: 10_000 },
      unsafe: { now: Date.now, isReplaying: false, isReplayingHistoryEvents: false },
    } as never, // Of the rest the workflow reads nothing.
    randomnessSeed: Array.from({ length: 8 }, () => 1),
    now: 0,
    showStackTraceSources: false,
  });
  const commands: string[] = [];
  for (const jobs of activations) {
    const activation = { runId, timestamp: startedAt, isReplaying: false, historyLength: 9, jobs };
    const { successful, failed } = await workflow.activate(
      proto.coresdk.workflow_activation.WorkflowActivation.fromObject(activation),
    );
    assert.equal(failed?.failure?.message, undefined);
    for (const command of successful?.commands ?? []) {
      const { updateResponse: update } = command;
      const kind = update?.accepted ? 'accept' : update?.completed ? 'complete' : null;
      commands.push(
        kind === null ? (Object.keys(command)[0] ?? '') : `${kind} ${update?.protocolInstanceId}`,
      );
    }
  }
  return commands;
}

describe('the control workflow', () => {
  const before = [begin, [published(1)], [stop('first')]];
  const sameOrder = async (
    ...of: { readonly apart: readonly Jobs[]; readonly together: Jobs }[]
  ) => {
    for (const { apart, together } of of) {
      const commands = await commandsOf([...before, ...apart]);
      assert.deepEqual(commands, await commandsOf([...before, together]));
      assert.ok(commands.includes('accept third'));
    }
  };

  it('makes the same commands whether an update comes after the end of a publication, or as one with it', async () => {
    await sameOrder({
      apart: [[published(2)], [stop('third')]],
      together: [stop('third'), published(2)],
    });
  });

  it('the same where the switch was thrown again while that publication ran', async () => {
    before.push([stop('second')]);

    await sameOrder(
      { apart: [[published(2)], [stop('third')]], together: [stop('third'), published(2)] },
      { apart: [[published(3)], [stop('third')]], together: [stop('third'), published(3)] },
    );
  });

  it('publishes a stop at once, also while an older publication is not over', async () => {
    const commands = await commandsOf([begin, [stop('first')], [stop('second')]]);

    assert.equal(commands.filter((command) => command === 'scheduleActivity').length, 3);
  });
});

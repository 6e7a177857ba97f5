import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import proto, { type coresdk } from '@temporalio/proto';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import { VMWorkflowCreator } from '@temporalio/worker/lib/workflow/vm.js';
import type { ControlState } from '../../contracts/control.ts';
import { signalNames, updateNames, workflowTypes } from '../../contracts/temporal.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';

type Job = coresdk.workflow_activation.IWorkflowActivationJob;
type Jobs = readonly Job[];

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
const update = (name: string, id: string, input: unknown): Job => ({
  doUpdate: {
    ...{ id, protocolInstanceId: id, name, input: [payload(input)] },
    meta: { updateId: id },
    runValidator: true,
  },
});
const stop = (id: string): Job => update(updateNames.stop, id, { by: 'anna', reason: id });
const published = (seq: number): Job => ({
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

  it('the same for what is told of breakers: by a repair that ended, by hand, by one that would try', async () => {
    const spec = { failures: 1, windowMs: 60_000, openForMs: 60_000 };
    const ended: Job = {
      signalWorkflow: {
        signalName: signalNames.repairEnded,
        input: [payload({ policy: 'web', remediationId: 'r-1', state: 'failed', breaker: spec })],
      },
    };
    const by = { policy: 'web', by: 'anna', reason: 'it makes things worse' };
    const words: readonly Job[] = [
      ended,
      update(updateNames.openBreaker, 'third', by),
      update(updateNames.closeBreaker, 'third', by),
      update(updateNames.tryBreaker, 'third', { policy: 'web', remediationId: 'r-2' }),
    ];

    for (const word of words) {
      const apart = await commandsOf([...before, [ended], [published(2)], [word]]);
      const together = await commandsOf([...before, [ended], [word, published(2)]]);
      assert.deepEqual(together, apart);
    }
  });

  it('publishes a stop at once, also while an older publication is not over', async () => {
    const commands = await commandsOf([begin, [stop('first')], [stop('second')]]);

    assert.equal(commands.filter((command) => command === 'scheduleActivity').length, 3);
  });
});

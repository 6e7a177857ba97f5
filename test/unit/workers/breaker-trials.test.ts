import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { RepairEndedSignal } from '../../../contracts/breaker.ts';
import { settleTrials } from '../../../workers/breaker-trials.ts';

const remediationId = 'remediation:web:web~00000000:12345678-1';
const minute = 60_000;

/** What a breaker is told of a trial whose workflow stands like this; null: there is none. */
async function toldOf(status: string | null, agoMs: number): Promise<readonly RepairEndedSignal[]> {
  const told: RepairEndedSignal[] = [];
  const describe = async () => {
    if (status === null) throw new WorkflowNotFoundError('gone', remediationId, undefined);
    return { status: { name: status } };
  };
  await settleTrials({
    // What it uses of a client, and no more.
    client: { workflow: { getHandle: () => ({ describe }) } } as unknown as Client,
    breakers: [
      {
        ...{ policy: 'web', reason: 'three failed', by: 'fixpoint', at: 0 },
        ...{ untilMs: 1, openForMs: 1, canary: { remediationId, at: 0 } },
      },
    ],
    nowMs: agoMs,
    tellBreaker: async (signal) => void told.push(signal),
  });
  return told;
}

describe('a trial of a half-open breaker that cannot say how it ended', () => {
  it('has failed if Temporal ended it from outside', async () => {
    for (const status of ['TERMINATED', 'FAILED', 'TIMED_OUT']) {
      assert.deepEqual(await toldOf(status, 1), [
        { policy: 'web', remediationId, state: 'failed' },
      ]);
    }
  });

  it('has tried nothing if it never began, after a minute', async () => {
    assert.deepEqual(await toldOf(null, minute), []);
    assert.deepEqual(await toldOf(null, minute + 1), [
      { policy: 'web', remediationId, state: 'held' },
    ]);
  });

  it('is left alone while it runs, and once it has said so itself', async () => {
    for (const status of ['RUNNING', 'COMPLETED']) {
      assert.deepEqual(await toldOf(status, 60 * minute), []);
    }
  });
});

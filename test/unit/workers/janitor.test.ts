import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { Janitor } from '../../../workers/janitor.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('janitor', () => {
  it('asks for a lock that failed under another id, and forgets wishes that others granted', async () => {
    const wish = { agentId: '0123456789ab', reason: 'cloned', at: 7 };
    let wishes = [wish];
    const asked: string[] = [];
    const executeUpdate = async (_: string, { updateId }: { updateId: string }) => {
      asked.push(updateId);
      throw new WorkflowUpdateFailedError('too many are locked', undefined);
    };
    const janitor = new Janitor({
      // What granting uses of a client, and no more.
      client: { workflow: { getHandle: () => ({ executeUpdate }) } } as unknown as Client,
      gateway: { openTasks: async () => [], cancel: async () => {} },
      governor: { holders: async () => [], releaseAll: async () => {} },
      control: { read: async () => null, write: async () => 0 },
      lockWishes: { all: async () => wishes, remove: async () => {} },
      tellMailbox: async () => {},
      tellBreaker: async () => {},
      controlSeen: () => {},
      ...{ clock: new ManualClock(), log: silentLog, crash: noCrashPoints },
      ...{ janitorMs: 1, controlRefreshMs: 1 },
    });

    await janitor.grantLocks();
    await janitor.grantLocks();
    wishes = [];
    await janitor.grantLocks();
    wishes = [wish];
    await janitor.grantLocks();

    const id = 'lockAgent/0123456789ab/7';
    assert.deepEqual(asked, [`${id}/0`, `${id}/1`, `${id}/0`]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TaskBodies } from '../../../agent-gateway/task-bodies.ts';
import { limits } from '../../../contracts/limits.ts';
import type { TaskSubmit } from '../../../contracts/task.ts';
import { aSubmit } from '../../support/builders.ts';

const target = { agentId: '0123456789ab', journalId: '0'.repeat(26) };

/** A task of about a quarter of what may be kept. */
function aLargeTask(): TaskSubmit {
  const args = ['x'.repeat(limits.taskBodiesBytes / 4)];
  return aSubmit({ targets: [{ ...target, args }] });
}

/** Bodies of tasks that Redis has, and which of them were read. */
function theBodies(task: TaskSubmit) {
  const read: string[] = [];
  const bodies = new TaskBodies(async (taskId) => {
    read.push(taskId);
    return { key: 'key', task };
  });
  return { bodies, read };
}

describe('the bodies of open tasks', () => {
  it('of small tasks are all kept, however many', async () => {
    const { bodies, read } = theBodies(aSubmit({ targets: [target] }));
    const ids = Array.from({ length: 500 }, (_, at) => `task-${at}`);

    for (const id of [...ids, ...ids]) await bodies.body(id);

    assert.deepEqual(read, ids);
  });

  it('are kept up to a number of bytes, and the one that was used longest ago goes first', async () => {
    const { bodies, read } = theBodies(aLargeTask());
    for (const id of ['a', 'b', 'c']) await bodies.body(id);
    await bodies.body('a');

    await bodies.body('d');
    for (const id of ['a', 'c', 'd', 'b']) await bodies.body(id);

    assert.deepEqual(read, ['a', 'b', 'c', 'd', 'b']);
  });

  it('of a task alone is given whatever its size', async () => {
    const args = ['x'.repeat(limits.taskBodiesBytes)];
    const { bodies } = theBodies(aSubmit({ targets: [{ ...target, args }] }));

    const body = await bodies.body('a');

    assert.deepEqual(body?.agentIds, [target.agentId]);
  });

  it('of tasks that are over make room', async () => {
    const { bodies, read } = theBodies(aLargeTask());
    for (const id of ['a', 'b', 'c']) await bodies.body(id);

    bodies.keepOnly(new Set(['b', 'c']));
    await bodies.body('d');
    for (const id of ['b', 'c', 'd', 'a']) await bodies.body(id);

    assert.deepEqual(read, ['a', 'b', 'c', 'd', 'a']);
  });

  it('that could not be read are asked for again', async () => {
    let tries = 0;
    const bodies = new TaskBodies(async () => {
      tries += 1;
      if (tries === 1) throw new Error('away');
      return tries === 2 ? null : { key: 'key', task: aSubmit({ targets: [target] }) };
    });

    await assert.rejects(bodies.body('a'));
    const second = await bodies.body('a');

    assert.equal(second, null);
    assert.deepEqual((await bodies.body('a'))?.agentIds, [target.agentId]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DispatchQueue } from '../../../agent-gateway/dispatch-queue.ts';
import { DispatchWindow } from '../../../agent-gateway/dispatch-window.ts';
import { limits } from '../../../contracts/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function windowOf() {
  const clock = new ManualClock();
  const calls = { onRoom: 0 };
  const window = new DispatchWindow({ clock, onRoom: () => (calls.onRoom += 1) });
  return { clock, calls, window };
}

describe('dispatch window', () => {
  it('a large task waits while a window of its jobs is unheard, and goes on when one is heard of', () => {
    const { window, calls } = windowOf();
    const onHeard = window.open('large', limits.unheardJobsMax);

    assert.equal(window.hasRoom('large'), false);
    onHeard();
    assert.equal(window.hasRoom('large'), true);
    assert.equal(calls.onRoom, 1);
  });

  it('a task that has nothing written has room beside a full window, once', () => {
    const { window } = windowOf();
    window.open('large', limits.unheardJobsMax);

    assert.equal(window.hasRoom('small'), true);
    window.open('small', 1);
    assert.equal(window.hasRoom('small'), false);
  });

  it('agents that say nothing hold the others up for a second, and what they say then counts for nothing', () => {
    const { clock, window, calls } = windowOf();
    const onHeard = window.open('deaf', limits.unheardJobsMax);
    onHeard();
    clock.advance(limits.unheardMs);
    onHeard();

    window.open('next', limits.unheardJobsMax - 1);
    assert.equal(window.hasRoom('next'), true);
    assert.equal(calls.onRoom, 2);
    window.open('more', 1);
    assert.equal(window.hasRoom('next'), false);
  });

  it('a job that is heard of leaves the window once, also when all were', () => {
    const { clock, window, calls } = windowOf();
    const onHeard = window.open('task', 2);
    for (let times = 0; times < 4; times += 1) onHeard();
    clock.advance(limits.unheardMs);

    assert.equal(calls.onRoom, 2);
    window.open('task', limits.unheardJobsMax);
    assert.equal(window.hasRoom('task'), false);
  });
});

describe('dispatch queue', () => {
  it('a task without room keeps its place, and those behind it are taken', () => {
    const queue = new DispatchQueue();
    for (const taskId of ['first', 'second']) {
      queue.add({ taskId, createdAt: 1 }, ['a', 'b', 'c']);
    }

    const asked: [string, number][] = [];
    const taken = queue.take(2, (taskId, jobs) => {
      asked.push([taskId, jobs]);
      return taskId !== 'first';
    });
    assert.deepEqual(asked, [
      ['first', 3],
      ['second', 3],
    ]);
    assert.deepEqual(taken, { taskId: 'second', createdAt: 1, agentIds: ['a', 'b'] });
    assert.equal(
      queue.take(2, () => false),
      null,
    );
    assert.deepEqual(
      [1, 2, 3].map(() => queue.take(2, () => true)?.taskId),
      ['first', 'second', 'first'],
    );
  });
});

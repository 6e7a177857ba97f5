import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostQueue } from '../../../domain/host-queue.ts';

const aQueue = () => new HostQueue({ waiting: [0, 1, 2, 3, 4, 5], sizes: [1, 2, 3] });

describe('host queue', () => {
  it('gives each batch its size, and batches after the planned ones the largest', () => {
    const queue = aQueue();

    assert.deepEqual([queue.first(0), queue.first(1)], [[0], [0, 1]]);
    assert.deepEqual(queue.first(7), [0, 1, 2]);
  });

  it('whoever is refused waits behind all others, and whoever is taken no longer', () => {
    const queue = aQueue();

    queue.toEnd([0]);
    queue.take([1, 2]);
    queue.take([]);

    assert.deepEqual(queue.waiting, [3, 4, 5, 0]);
    assert.equal(queue.length, 4);
  });

  it('counts the batches that those who wait still need', () => {
    const queue = aQueue();

    assert.equal(queue.batchesFrom(0), 3);
    queue.take([0]);
    assert.equal(queue.batchesFrom(1), 3);
    assert.equal(queue.batchesFrom(3), 5);
    queue.take([1, 2, 3, 4, 5]);
    assert.equal(queue.batchesFrom(3), 3);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Turns } from '../../../agent-gateway/turns.ts';
import { limits } from '../../../contracts/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** How many were done after each turn of the event loop, until all were. */
async function turnsOf(pieces: number): Promise<{ done: number[]; after: number[] }> {
  const turns = new Turns(new ManualClock());
  const done: number[] = [];
  const after: number[] = [];
  for (let piece = 0; piece < pieces; piece += 1) turns.add(() => done.push(piece));
  assert.equal(done.length, 0);
  while (done.length < pieces) {
    await setImmediate();
    after.push(done.length);
  }
  return { done, after };
}

describe('turns of the event loop', () => {
  it('a line of pieces is done in order, some in each turn', async () => {
    const { done, after } = await turnsOf(3 * limits.turnPiecesMin);

    assert.deepEqual(done, [...done.keys()]);
    assert.deepEqual(
      after,
      [1, 2, 3].map((turn) => turn * limits.turnPiecesMin),
    );
  });

  it('a long line is shorter by a quarter with each turn', async () => {
    const { after } = await turnsOf(10_000);

    assert.equal(after[0], 2_500);
    assert.ok(after.length < 25, `${after.length} turns`);
  });

  it('after a long turn of the others more is done: half as long as that took', async () => {
    const clock = new ManualClock();
    const turns = new Turns(clock);
    let done = 0;
    const piece = () => {
      done += 1;
      clock.advance(1);
    };
    for (let at = 0; at < 1_000; at += 1) turns.add(piece);
    clock.advance(1_200);

    await setImmediate();

    assert.equal(done, 600);
  });

  it('what comes between goes before what still waits', async () => {
    const turns = new Turns(new ManualClock());
    const done: string[] = [];
    for (let piece = 0; piece < 10 * limits.turnPiecesMin; piece += 1) {
      turns.add(() => done.push('waits'));
    }
    await setImmediate();
    done.push('urgent');
    await turns.each(['last'], (item) => done.push(item));

    assert.equal(done.indexOf('urgent') < 5 * limits.turnPiecesMin, true);
    assert.equal(done.at(-1), 'last');
  });

  it('one that throws rejects, and the others are done all the same', async () => {
    const turns = new Turns(new ManualClock());
    const done: number[] = [];

    const all = turns.each([1, 2, 3], (item) => {
      if (item === 2) throw new Error('the second');
      done.push(item);
    });

    await assert.rejects(all, /the second/);
    await turns.each([], () => {});
    assert.deepEqual(done, [1, 3]);
  });
});

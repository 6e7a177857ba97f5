import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Breaker, FailureMemory } from '../../../contracts/breaker.ts';
import { afterRepair, closedByHand, openedByHand, tried } from '../../../domain/breaker.ts';
import { breakerRefusal } from '../../../domain/breaker-refusal.ts';
import { FailureBook } from '../../../domain/failure-book.ts';

const minute = 60_000;
const spec = { failures: 3, windowMs: 60 * minute, openForMs: 30 * minute };

/** A breaker with what it is told, by its time in minutes. */
function aBreaker(carried?: FailureMemory) {
  const failures = new FailureBook(carried);
  let open: readonly Breaker[] = [];
  return {
    failures,
    get open() {
      return open;
    },
    ends(id: string, state: string, at: number, policy = 'web') {
      const told = { policy, remediationId: id, state, breaker: spec, nowMs: at * minute };
      open = afterRepair(open, failures, told);
    },
    tries(id: string, at: number, policy = 'web') {
      const { open: next, answer } = tried(open, {
        ...{ policy, remediationId: id, nowMs: at * minute },
      });
      open = next;
      return answer.kind;
    },
    change(next: readonly Breaker[]) {
      open = next;
    },
  };
}

function opened() {
  const breaker = aBreaker();
  for (const [at, id] of ['r-1', 'r-2', 'r-3'].entries()) breaker.ends(id, 'failed', at);
  return breaker;
}

describe('the breaker of a policy', () => {
  it('opens at the third failure within the window, and says why and until when', () => {
    const breaker = aBreaker();
    breaker.ends('r-1', 'failed', 0);
    breaker.ends('r-2', 'rolled_back', 1);
    assert.equal(breaker.open.length, 0);
    breaker.ends('r-3', 'failed', 2);

    const [found] = breaker.open;
    assert.equal(found?.untilMs, 32 * minute);
    assert.equal(found.by, 'fixpoint');
    assert.match(found.reason, /3 repairs failed within 1h, guards.breaker opens at 3; .* r-3/);
    assert.equal(breaker.tries('r-4', 31), 'open');
  });

  it('failures further apart, ends that are none, and those of other policies do not open it', () => {
    const breaker = aBreaker();
    breaker.ends('r-1', 'failed', 0);
    breaker.ends('r-2', 'failed', 1);
    breaker.ends('r-3', 'failed', 61);
    for (const state of ['verified', 'resolved', 'held', 'cancelled', 'superseded']) {
      breaker.ends(state, state, 61);
    }
    breaker.ends('o-1', 'failed', 61, 'other');

    assert.equal(breaker.open.length, 0);
    assert.equal(breaker.tries('r-4', 61), 'closed');
  });

  it('an end that is told again counts once, also after it was carried over', () => {
    const breaker = aBreaker();
    for (let round = 0; round < 5; round += 1) breaker.ends('r-1', 'failed', round);
    const next = aBreaker(JSON.parse(JSON.stringify(breaker.failures.carried())));
    next.ends('r-1', 'failed', 6);
    next.ends('r-2', 'failed', 6);

    assert.equal(next.open.length, 0);
    next.ends('r-3', 'failed', 7);
    assert.equal(next.open.length, 1);
  });

  it('half-opens for one repair at a time, which may ask again', () => {
    const breaker = opened();

    assert.equal(breaker.tries('r-4', 32), 'canary');
    assert.equal(breaker.tries('r-5', 32), 'open');
    assert.equal(breaker.tries('r-4', 33), 'canary');
  });

  it('closes when that is proven, and old failures are forgotten with it', () => {
    const breaker = opened();
    breaker.tries('r-4', 32);
    breaker.ends('r-4', 'verified', 33);

    assert.equal(breaker.open.length, 0);
    breaker.ends('r-5', 'failed', 34);
    assert.equal(breaker.open.length, 0);
  });

  it('opens anew for as long when that fails', () => {
    const breaker = opened();
    breaker.tries('r-4', 32);
    breaker.ends('r-4', 'failed', 33);

    assert.equal(breaker.open[0]?.untilMs, 63 * minute);
    assert.match(breaker.open[0].reason, /tried failed too: r-4/);
    assert.equal(breaker.tries('r-5', 62), 'open');
    assert.equal(breaker.tries('r-5', 63), 'canary');
  });

  it('one that tried nothing leaves the turn to the next; one that never says anything does after a day', () => {
    const breaker = opened();
    breaker.tries('r-4', 32);
    breaker.ends('r-4', 'held', 33);
    assert.equal(breaker.tries('r-5', 33), 'canary');

    assert.equal(breaker.tries('r-6', 33 + 24 * 60 - 1), 'open');
    assert.equal(breaker.tries('r-6', 33 + 24 * 60), 'canary');
  });

  it('repairs that were under way when it opened change nothing by failing', () => {
    const breaker = opened();
    const before = breaker.open;
    breaker.ends('r-9', 'failed', 10);
    breaker.ends('r-8', 'verified', 11);

    assert.equal(breaker.open, before);
  });

  it('is opened and closed by hand, for one policy alone', () => {
    const breaker = opened();
    const by = { by: 'anna', reason: 'maintenance of the source' };
    breaker.change(
      openedByHand(breaker.open, { ...by, policy: 'db', openForMs: minute, nowMs: 0 }),
    );
    assert.equal(breaker.tries('d-1', 0, 'db'), 'open');
    breaker.change(closedByHand(breaker.open, breaker.failures, { ...by, policy: 'web' }));

    assert.equal(breaker.tries('r-4', 3), 'closed');
    assert.deepEqual(
      breaker.open.map(({ policy }) => policy),
      ['db'],
    );
  });

  it('a refusal names who, why, until when and what to do; while one tries it is asked again soon', () => {
    const breaker = opened();
    const refusal = (at: number) => {
      const [found] = breaker.open;
      assert.ok(found);
      return breakerRefusal(found, at * minute);
    };

    assert.match(
      refusal(3).detail,
      /opened by fixpoint at 1970-01-01T00:02:00.000Z: 3 repairs failed .*before 1970-01-01T00:32:00.000Z.*fixpoint control breaker close web --reason/,
    );
    assert.equal(refusal(3).untilMs, 32 * minute);
    breaker.tries('r-4', 32);
    assert.match(refusal(33).detail, /r-4 tries on one host now/);
    assert.equal(refusal(33).untilMs, 34 * minute);
  });
});

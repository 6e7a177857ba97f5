import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drain } from '../../../agent-gateway/drain.ts';
import type { Session } from '../../../agent-gateway/session.ts';
import { eventually } from '../../support/eventually.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('drain', () => {
  it('sends 600 agents away in three steps, each with a time of its own to come back', async () => {
    const clock = new ManualClock();
    const told: number[] = [];
    const session = { end: (_reason: string, retryAfterMs: number) => told.push(retryAfterMs) };
    // What draining uses of a session, and no more.
    const sessions = Array.from({ length: 600 }, () => session as unknown as Session);

    const done = drain({ sessions, drainMs: 900, clock });
    const first = told.length;
    clock.advance(300);
    await eventually(() => assert.equal(told.length, 512));
    clock.advance(300);
    await done;

    assert.equal(first, 256);
    assert.equal(told.length, 600);
    assert.ok(told.every((ms) => ms >= 500 && ms <= 500 + 600 * 5));
  });
});

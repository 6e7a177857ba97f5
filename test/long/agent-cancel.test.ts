import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cancelAgainstExit, cancelMany } from '../support/cancel-race.ts';

describe('a cancel, many times', () => {
  it('against the end of 1,000 jobs: the order of the journal decides, never both', async (test) => {
    const { cancelled, ended } = await cancelAgainstExit(1_000);

    test.diagnostic(`${cancelled} cancelled, ${ended} ended by themselves`);
    assert.equal(cancelled + ended, 1_000);
    // Both sides of the race were met, or it was none.
    assert.ok(cancelled >= 50 && ended >= 50, `${cancelled} cancelled, ${ended} ended`);
  });

  it('of 500 running jobs leaves nothing of any 5 s after the time that TERM is given', async (test) => {
    const killGraceMs = 5_000;

    // An agent runs 32 at most, so it takes several; all are on this machine.
    const tookMs = await cancelMany({ agents: 20, jobs: 25, killGraceMs });

    test.diagnostic(`the last of 500 was gone after ${Math.round(tookMs)} ms`);
    assert.ok(tookMs <= killGraceMs + 5_000, `${tookMs} ms`);
  });
});

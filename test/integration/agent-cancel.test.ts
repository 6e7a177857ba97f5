import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cancelAgainstExit, cancelMany } from '../support/cancel-race.ts';

describe('a cancel', () => {
  it('against the end of 50 jobs: the order of the journal decides, never both', async () => {
    const { cancelled, ended } = await cancelAgainstExit(50);

    assert.equal(cancelled + ended, 50);
  });

  it('of 32 running jobs leaves nothing of any 5 s after the time that TERM is given', async () => {
    const killGraceMs = 300;

    const tookMs = await cancelMany({ agents: 1, jobs: 32, killGraceMs });

    assert.ok(tookMs <= killGraceMs + 5_000, `${tookMs} ms`);
  });
});

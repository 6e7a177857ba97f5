import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Breaker } from '../../../contracts/breaker.ts';
import { breakerGuard } from '../../../domain/breaker-standing.ts';

const spec = { failures: 3, windowMs: 3_600_000, openForMs: 1_800_000 };
const breaker: Breaker = {
  ...{ policy: 'web', reason: '3 repairs failed within 1h', by: 'fixpoint' },
  ...{ at: 1_000, untilMs: 2_000, openForMs: 1_000, canary: null },
};
const standing = (of: Partial<Parameters<typeof breakerGuard>[0]>) =>
  breakerGuard({ policy: 'web', spec, open: [], nowMs: 1_500, ...of });

describe('where a breaker stands', () => {
  it('closed, it says at how many failures it would open, and holds nothing', () => {
    const { limit, use, holds, untilMs } = standing({ open: [{ ...breaker, policy: 'db' }] });

    assert.equal(limit, 'opens at 3 failed repairs within 1h');
    assert.deepEqual([use, holds, untilMs], ['closed', false, null]);
  });

  it('open, it says who opened it, why, until when, and what closes it', () => {
    const { use, holds, untilMs, remedy } = standing({ open: [breaker] });

    assert.equal(use, 'opened by fixpoint: 3 repairs failed within 1h');
    assert.deepEqual([holds, untilMs], [true, 2_000]);
    assert.match(remedy, /fixpoint control breaker close web --reason/);
  });

  it('half open, the next repair may try; while one tries, no other may', () => {
    const half = standing({ open: [breaker], nowMs: 2_000 });
    const canary = { remediationId: 'remediation:web:1', at: 2_000 };
    const trying = standing({ open: [{ ...breaker, canary }], nowMs: 2_001 });

    assert.match(half.use, /^half open: the next repair may try on one host; opened by/);
    assert.deepEqual([half.holds, half.untilMs], [false, null]);
    assert.match(trying.use, /^remediation:web:1 tries on one host; /);
    assert.equal(trying.holds, true);
  });

  it('one that was opened by hand holds a policy that has none', () => {
    const { limit, holds } = standing({ spec: undefined, open: [{ ...breaker, by: 'anna' }] });

    assert.deepEqual([limit, holds], ['off', true]);
  });
});

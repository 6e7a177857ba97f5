import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mailboxGuards, noFacts } from '../../../domain/mailbox-standing.ts';

const hour = 3_600_000;
const now = 1_800_000_000_000;
const settings = {
  cooldownMs: 900_000,
  maxRuns: { count: 3, windowMs: hour },
  damping: { confirmForMs: 60_000, flap: { changes: 5, windowMs: hour / 2 } },
};
const facts = noFacts(settings);
const holding = (of: Partial<typeof facts>) =>
  mailboxGuards({ ...facts, ...of }, now).filter(({ holds }) => holds);

describe('where the guards of a mailbox stand', () => {
  it('one that has heard nothing has used nothing, and each guard tells limit and slack', () => {
    const guards = mailboxGuards(facts, now);

    assert.deepEqual(
      guards.map(({ guard, holds, slack }) => [guard, holds, slack]),
      [
        ['one repair of a group at a time', false, '1 of 1'],
        ['guards.cooldown', false, null],
        ['guards.maxRuns', false, '3 of 3'],
        ['guards.flap', false, '5 of 5'],
      ],
    );
  });

  it('cooldown holds until it is over, to the millisecond', () => {
    const [cooldown] = holding({ lastEndedAtMs: now - settings.cooldownMs + 1 });

    assert.deepEqual([cooldown?.guard, cooldown?.untilMs], ['guards.cooldown', now + 1]);
    assert.deepEqual(holding({ lastEndedAtMs: now - settings.cooldownMs }), []);
  });

  it('maxRuns holds with all its runs used, until the oldest of them leaves the window', () => {
    const starts = [now - 10, now - 30, now - 20];
    const [runs] = holding({ startsMs: starts });

    assert.deepEqual(
      [runs?.guard, runs?.limit, runs?.use, runs?.slack, runs?.untilMs],
      ['guards.maxRuns', '3 in 1h', '3 started', 'none', now - 30 + hour],
    );
    assert.deepEqual(holding({ startsMs: [...starts.slice(1), now - hour] }), []);
  });

  it('a running repair, flapping and a refusal hold too, each with its remedy; those that hold come first', () => {
    const refused = { reason: 'stopped' as const, detail: 'by ada: worse', untilMs: now + 5 };
    const all = mailboxGuards(
      { ...facts, running: 'remediation:web:x', changes: 6, flappingUntilMs: now + 9, refused },
      now,
    );

    assert.deepEqual(
      all.slice(0, 3).map(({ guard, use, untilMs }) => [guard, use, untilMs]),
      [
        ['one repair of a group at a time', '1: remediation:web:x', null],
        ['guards.flap', '6 changes', now + 9],
        ['control stop', 'by ada: worse', now + 5],
      ],
    );
    for (const { remedy } of all) assert.ok(remedy.length > 20, remedy);
    const without = { ...settings, damping: { confirmForMs: 0, flap: null } };
    assert.equal(mailboxGuards(noFacts(without), now).length, 3);
  });
});

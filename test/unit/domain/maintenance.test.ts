import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MaintenanceWindow, openWindow } from '../../../domain/maintenance.ts';
import { parseCron } from '../../../platform/cron.ts';

const hour = 3_600_000;

function aWindow(cron: string, forMs: number, timeZone = 'UTC'): MaintenanceWindow {
  const parsed = parseCron(cron, timeZone);
  assert.ok(parsed.kind === 'parsed', JSON.stringify(parsed));
  return { begins: parsed.recurrence, forMs, text: cron };
}
const until = (windows: readonly MaintenanceWindow[], at: string): string | null => {
  const open = openWindow(windows, Date.parse(at));
  return open === null ? null : new Date(open.untilMs).toISOString();
};

describe('maintenance windows', () => {
  it('one is open from its first millisecond to the one before its last', () => {
    const saturdays = [aWindow('0 2 * * 6', 4 * hour)];

    assert.equal(until(saturdays, '2026-11-28T01:59:59.999Z'), null);
    assert.equal(until(saturdays, '2026-11-28T02:00:00.000Z'), '2026-11-28T06:00:00.000Z');
    assert.equal(until(saturdays, '2026-11-28T05:59:59.999Z'), '2026-11-28T06:00:00.000Z');
    assert.equal(until(saturdays, '2026-11-28T06:00:00.000Z'), null);
    assert.equal(until(saturdays, '2026-11-29T03:00:00.000Z'), null);
  });

  it('its hours are those of its time zone, in summer and in winter', () => {
    const berlin = [aWindow('0 2 * * *', hour, 'Europe/Berlin')];

    assert.equal(until(berlin, '2026-07-01T00:30:00Z'), '2026-07-01T01:00:00.000Z');
    assert.equal(until(berlin, '2026-07-01T01:30:00Z'), null);
    assert.equal(until(berlin, '2026-12-01T01:30:00Z'), '2026-12-01T02:00:00.000Z');
    assert.equal(until(berlin, '2026-12-01T00:30:00Z'), null);
  });

  it('an hour that the clocks skip opens an hour later; one that they repeat opens once', () => {
    const berlin = [aWindow('30 2 * * *', hour, 'Europe/Berlin')];

    assert.equal(until(berlin, '2026-03-29T00:59:00Z'), null);
    assert.equal(until(berlin, '2026-03-29T01:30:00Z'), '2026-03-29T02:00:00.000Z');
    assert.equal(until(berlin, '2026-10-25T00:45:00Z'), '2026-10-25T01:30:00.000Z');
    assert.equal(until(berlin, '2026-10-25T01:45:00Z'), null);
  });

  it('of several that are open the one that ends last is told', () => {
    const both = [aWindow('0 2 * * *', hour), aWindow('30 2 * * *', 2 * hour)];

    assert.equal(until(both, '2026-11-28T02:15:00Z'), '2026-11-28T03:00:00.000Z');
    assert.equal(until(both, '2026-11-28T02:45:00Z'), '2026-11-28T04:30:00.000Z');
    assert.equal(openWindow(both, Date.parse('2026-11-28T02:45:00Z'))?.window.text, '30 2 * * *');
  });

  it('openings of one that touch are one opening', () => {
    const touching = [aWindow('0 2,3,5 * * *', hour)];

    assert.equal(until(touching, '2026-11-28T02:10:00Z'), '2026-11-28T04:00:00.000Z');
    assert.equal(until(touching, '2026-11-28T04:10:00Z'), null);
  });

  it('one that never closes is open, and still is at the time that is told', () => {
    const always = [aWindow('* * * * *', 3 * hour)];
    const nowMs = Date.parse('2026-11-28T02:10:30Z');

    const open = openWindow(always, nowMs);

    assert.ok(open !== null && open.untilMs > nowMs);
  });

  it('asked again out of order it answers the same', () => {
    const kept = [aWindow('0 2 * * *', hour)];
    const moments = ['2026-11-28T02:30:00Z', '2026-11-27T02:30:00Z', '2026-11-28T01:30:00Z'];

    const answers = moments.map((moment) => until(kept, moment));

    assert.deepEqual(
      answers,
      moments.map((moment) => until([aWindow('0 2 * * *', hour)], moment)),
    );
    assert.deepEqual(
      moments.map((moment) => until(kept, moment)),
      answers,
    );
  });

  it('what is no cron expression of five fields, or never comes, says why', () => {
    for (const [text, reason] of [
      ['0 0 2 * * 6', /5 parts/],
      ['61 * * * *', /minute/],
      ['0 2 * * FRIDAY', /.+/],
      ['', /.+/],
      ['0 0 30 2 *', /never comes/],
    ] as const) {
      const parsed = parseCron(text, 'UTC');
      assert.ok(parsed.kind === 'flawed', text);
      assert.match(parsed.reason, reason);
    }
  });
});

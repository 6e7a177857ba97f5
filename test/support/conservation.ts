import assert from 'node:assert/strict';
import type { ChaosOutcome } from './entry-chaos.ts';

/** Ends that a mill brings about whatever dies meanwhile. */
const surely = [
  ...['handed', 'duplicate', 'quarantined', 'unmatched', 'suppressed(resolved)'],
  ...['suppressed(shielded)', 'held(mass)', 'held(truncated)'],
];

/** Asserts that every entry was kept and ended in one fate, at the end and at every scrape before. */
export function assertConserved(of: ChaosOutcome): void {
  const { received, backlog, fates } = of.settled;
  const sum = Object.values(fates).reduce((total, count) => total + count, 0);
  assert.equal(backlog, 0);
  assert.equal(received, sum);
  assert.ok(
    received >= of.answered && received <= of.answered + of.doubtful,
    `${received} received, ${of.answered} answered, ${of.doubtful} perhaps`,
  );
  for (const fate of surely) assert.ok((fates[fate] ?? 0) > 0, `none ${fate}`);
  // One that was handed on twice around a crash is there once more, never less.
  assert.ok(of.delivered >= (fates['handed'] ?? 0), `${of.delivered} delivered`);
  assert.ok(of.withBacklog > 0, `no scrape of ${of.scrapes} saw entries that wait`);
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMatcher } from '../../../domain/matchers.ts';
import { type SuppressionRule, suppressionOf } from '../../../domain/suppression.ts';
import { compileExpression } from '../../../platform/regular-expression.ts';
import { anAlert, aResolved } from '../../support/builders.ts';

const entry = (...texts: readonly string[]) =>
  texts.map((text) => {
    const parsed = parseMatcher(text, compileExpression);
    assert.ok(parsed.kind === 'parsed');
    return parsed.matcher;
  });
const untilMs = Date.parse('2026-11-28T06:00:00Z');
const always: SuppressionRule['maintenance'][number] = {
  begins: { next: (afterMs) => (afterMs < untilMs - 3_600_000 ? untilMs - 3_600_000 : null) },
  forMs: 3_600_000,
  text: '"0 5 * * *" UTC for 1h',
};
const suppression = (rule: Partial<SuppressionRule>, alert = anAlert()) =>
  suppressionOf(alert, { shield: [], maintenance: [], ...rule }, untilMs - 1);

describe('what a policy leaves alone', () => {
  it('an alert is shielded by all matchers of one entry, not by some of each', () => {
    const web = entry('service="web"');

    assert.equal(suppression({ shield: [] }), null);
    assert.equal(suppression({ shield: [entry('service="web"', 'alertname="Other"')] }), null);
    assert.deepEqual(
      suppression({ shield: [entry('service="db"'), [...web, ...entry('env=""')]] }),
      {
        reason: 'shielded',
        detail: 'service="web" and env=""',
      },
    );
  });

  it('an entry without matchers shields nothing', () => {
    assert.equal(suppression({ shield: [[]] }), null);
  });

  it('a window says which and until when', () => {
    assert.deepEqual(suppression({ maintenance: [always] }), {
      reason: 'maintenance',
      detail: '"0 5 * * *" UTC for 1h, until 2026-11-28T06:00:00.000Z',
    });
  });

  it('resolved passes both', () => {
    const rule = { shield: [entry('service="web"')], maintenance: [always] };

    assert.equal(suppression(rule)?.reason, 'shielded');
    assert.equal(suppression(rule, aResolved()), null);
  });
});

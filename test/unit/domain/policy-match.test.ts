import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LabelPair } from '../../../contracts/alert.ts';
import { fingerprintOf } from '../../../domain/fingerprint.ts';
import { instantOf, sortableInstant } from '../../../domain/instant.ts';
import { parseMatcher } from '../../../domain/matchers.ts';
import { groupOf, policiesFor, verdictsOf } from '../../../domain/policy-match.ts';
import { sha256 } from '../../../platform/digest.ts';
import { compileExpression } from '../../../platform/regular-expression.ts';

const policy = (name: string, matcher: string | null, continues = false) => ({
  name,
  source: 'alertmanager',
  continues,
  matchers: [matcher]
    .flatMap((text) => (text === null ? [] : parseMatcher(text, compileExpression)))
    .flatMap((parsed) => (parsed.kind === 'parsed' ? [parsed.matcher] : [])),
});
const web: LabelPair[] = [['service', 'web']];

describe('which policy takes an alert', () => {
  it('the first match wins; continue lets later ones take a copy', () => {
    const policies = [
      policy('db', 'service="db"'),
      policy('copy', 'service="web"', true),
      policy('web', 'service="web"'),
      policy('rest', null),
    ];

    const verdicts = verdictsOf({ source: 'alertmanager', labels: web }, policies);

    assert.deepEqual(
      verdicts.map(({ kind }) => kind),
      ['matcher', 'taken', 'taken', 'not_asked'],
    );
    const other = policiesFor({ source: 'alertmanager', labels: [] }, policies);
    assert.deepEqual(
      other.map(({ name }) => name),
      ['rest'],
    );
    assert.deepEqual(policiesFor({ source: 'grafana', labels: web }, policies), []);
  });

  it('a group is its labels sorted, a missing one empty, a repeated one once', () => {
    assert.deepEqual(groupOf(['service', 'a', 'service'], web), [
      ['a', ''],
      ['service', 'web'],
    ]);
  });
});

describe('names and times that are compared', () => {
  it('a fingerprint does not depend on the order of labels, and does on the source', () => {
    const labels: LabelPair[] = [
      ['a', '1'],
      ['b', '2'],
    ];
    const one = fingerprintOf('s', labels, sha256);
    assert.match(one, /^[0-9a-f]{16}$/);
    assert.equal(one, fingerprintOf('s', [...labels].reverse(), sha256));
    assert.notEqual(one, fingerprintOf('t', labels, sha256));
  });

  it('20 digits sort as the times do, to the nanosecond', () => {
    const texts = [
      '1970-01-01T00:00:00Z',
      '2026-01-01T00:00:10.000000001Z',
      '2026-01-01T00:00:10.000000002Z',
      '2026-01-01T01:00:00+00:30',
      '2199-12-31T23:59:59Z',
    ].map((text) => sortableInstant(instantOf(text) ?? -1n));
    assert.deepEqual(texts, [...texts].sort());
    assert.ok(texts.every((text) => text.length === 20));
  });
});

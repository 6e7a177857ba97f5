import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ruleNames } from '../../../../tools/boundaries/rules.ts';
import { checkBoundaries } from '../../../../tools/boundaries.ts';

const fixtures = fileURLToPath(new URL('./fixtures', import.meta.url));

describe('import rules', () => {
  for (const rule of readdirSync(fixtures).filter((name) => name !== 'no-breach')) {
    it(`a breach of ${rule} is found, and nothing else beside it`, () => {
      const breaches = checkBoundaries(join(fixtures, rule));

      assert.deepEqual([...new Set(breaches.map((breach) => breach.rule))], [rule]);
      assert.ok(breaches.every(({ line, message }) => line > 0 && message.length > 10));
    });
  }

  it('every rule has a fixture that breaks it', () => {
    const broken = readdirSync(fixtures).filter((name) => name !== 'no-breach');

    assert.deepEqual(broken.sort(), [...ruleNames].sort());
  });

  it('types from contracts, and words in comments and strings, are no breach', () => {
    assert.deepEqual(checkBoundaries(join(fixtures, 'no-breach')), []);
  });

  it('the product itself keeps every rule', () => {
    const root = fileURLToPath(new URL('../../../..', import.meta.url));

    assert.deepEqual(checkBoundaries(root), []);
  });
});

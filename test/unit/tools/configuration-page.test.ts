import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { configurationPage } from '../../../tools/configuration-page.ts';

describe('docs/configuration.md', () => {
  it('is what the settings say; else run: node tools/configuration-page.ts', () => {
    const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

    assert.equal(page, configurationPage());
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokenParts, filesWithout } from '../../support/chaos/broken-build.ts';

// They are run by test:long alone; that what they lack is still where it was is seen here, at once.
describe('builds that are broken on purpose', () => {
  for (const part of brokenParts) {
    it(`can be made without ${part}`, () => {
      assert.ok(filesWithout(part).size > 0);
    });
  }
});

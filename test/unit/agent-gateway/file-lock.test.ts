import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { withFileLock } from '../../../agent-gateway/file-lock.ts';
import { type Clock, systemClock } from '../../../platform/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'fixpoint-lock-'));
after(() => rmSync(folder, { recursive: true }));

describe('the lock of a file', () => {
  it('a dead one that somebody else took over meanwhile is theirs until they give it back', async () => {
    const path = join(folder, 'register.lock');
    writeFileSync(path, 'dead');
    utimesSync(path, 1, 1);
    const seen: string[] = [];
    const clock: Clock = {
      ...systemClock,
      randomBytes(count) {
        // Between looking at the dead lock and moving it away, another process is quicker.
        if (count === 8) {
          rmSync(path);
          writeFileSync(path, 'alive');
        }
        return systemClock.randomBytes(count);
      },
      async sleep() {
        seen.push(readFileSync(path, 'utf8'));
        rmSync(path);
      },
    };

    await withFileLock({ path, clock }, async (assertHeld) => {
      await assertHeld();
      seen.push('mine');
    });

    assert.deepEqual(seen, ['alive', 'mine']);
    assert.deepEqual(readdirSync(folder), []);
  });
});

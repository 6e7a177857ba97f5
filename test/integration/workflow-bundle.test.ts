import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sha256Hex } from '../../platform/digest.ts';
import { bundleKeptIn } from '../../workers/workflow-bundle.ts';

describe('the workflow bundle', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-bundle-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is built once for the same sources, and again when what was kept is cut short', async () => {
    const { code } = await bundleKeptIn(folder);
    const [name = '', ...others] = readdirSync(folder);
    const file = join(folder, name);
    const kept = readFileSync(file, 'utf8');
    const marked = `${code}\n// kept`;
    writeFileSync(file, `${sha256Hex(marked)}\n${marked}`);

    const again = await bundleKeptIn(folder);
    truncateSync(file, 100_000);
    const mended = await bundleKeptIn(folder);

    assert.deepEqual(others, []);
    assert.ok(again.code === marked, 'it was built though it was there');
    assert.ok(mended.code === code, 'half a bundle was taken');
    assert.ok(readFileSync(file, 'utf8') === kept, 'it was not kept again');
  });
});

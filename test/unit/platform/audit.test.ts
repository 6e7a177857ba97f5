import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AuditLog, readAudit, verifyAudit } from '../../../platform/audit.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const entry = { kind: 'remediation.ended', actor: 'fixpoint', object: 'r-1', detail: {} };

describe('audit log', () => {
  let directory: string;
  let path: string;
  const clock = new ManualClock();
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fixpoint-audit-'));
    const day = new Date(clock.now()).toISOString().slice(0, 10);
    path = join(directory, `api-${day}.jsonl`);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const anAuditLog = () => new AuditLog({ directory, writer: 'api', clock });

  it('goes on with its chain after a restart, and appends of one moment keep their order', async () => {
    const log = anAuditLog();
    await Promise.all(['a', 'b', 'c'].map((object) => log.append({ ...entry, object })));
    await anAuditLog().append({ ...entry, object: 'd' });

    const objects = (await readAudit(directory)).map(({ object }) => object);
    assert.deepEqual(objects, ['a', 'b', 'c', 'd']);
    assert.deepEqual(await verifyAudit(directory), { kind: 'whole', files: 1, records: 4 });
  });

  it('a record that a crash cut short is cut off, and the chain stays whole', async () => {
    await anAuditLog().append(entry);
    await appendFile(path, '{"seq":2,"at":"2027-');

    await anAuditLog().append({ ...entry, object: 'after' });

    assert.deepEqual(await verifyAudit(directory), { kind: 'whole', files: 1, records: 2 });
  });

  it('a record that was changed, left out or moved is named', async () => {
    const log = anAuditLog();
    for (const object of ['a', 'b', 'c']) await log.append({ ...entry, object });
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const [first = '', second = '', third = ''] = lines;

    for (const [broken, line] of [
      [[first, second.replace('"b"', '"x"'), third], 2],
      [[first, third], 2],
      [[first, third, second], 2],
      [[second, third], 1],
    ] as const) {
      await writeFile(path, `${broken.join('\n')}\n`);
      const verdict = await verifyAudit(directory);
      assert.deepEqual(verdict.kind === 'broken' ? verdict.line : verdict, line);
    }
  });
});

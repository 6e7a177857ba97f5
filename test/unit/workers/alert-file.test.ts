import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseAlertmanager } from '../../../api/sources/alertmanager.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { Metrics } from '../../../platform/metrics.ts';
import { AlertFile } from '../../../workers/alert-file.ts';
import { aBody } from '../../support/alertmanager-posts.ts';

const [alert = assert.fail()] = parseAlertmanager(
  Buffer.from(JSON.stringify(aBody())),
  '2026-01-01T00:00:00Z',
).alerts;

describe('the daily file of alerts', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fixpoint-alerts-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const fileAt = (now: () => number, over: { bytesMax?: number; directory?: string } = {}) => {
    const metrics = new Metrics();
    const clock = { ...systemClock, now };
    const file = new AlertFile({ directory, clock, log: silentLog, metrics, ...over });
    const failures = async () =>
      /failures_total (\d+)/.exec(await metrics.text())?.[1] ?? assert.fail();
    return { file, failures };
  };

  it('has one line per alert, a file per day, and loses files older than 90 days', async () => {
    await writeFile(join(directory, '2025-09-01.jsonl'), 'old');
    await writeFile(join(directory, 'notes.txt'), 'not ours');
    let now = Date.parse('2026-01-01T23:59:59Z');
    const { file } = fileAt(() => now);

    await Promise.all(Array.from({ length: 50 }, () => file.append(alert)));
    now += 2_000;
    await file.append(alert);

    assert.deepEqual((await readdir(directory)).sort(), [
      '2026-01-01.jsonl',
      '2026-01-02.jsonl',
      'notes.txt',
    ]);
    const lines = (await readFile(join(directory, '2026-01-01.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n');
    assert.equal(lines.length, 50);
    assert.deepEqual(JSON.parse(lines[49] ?? ''), alert);
  });

  it('a full day or a folder that cannot be written is counted and stops nothing', async () => {
    const full = fileAt(() => 0, { bytesMax: 1_000 });
    for (let at = 0; at < 5; at += 1) await full.file.append(alert);
    const nowhere = fileAt(() => 0, { directory: '/dev/null/alerts' });
    await nowhere.file.append(alert);

    assert.ok(Number(await full.failures()) >= 3);
    assert.equal(await nowhere.failures(), '1');
    assert.ok((await readFile(join(directory, '1970-01-01.jsonl'))).length <= 1_000);
  });
});

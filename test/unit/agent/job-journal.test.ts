import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { JobJournal } from '../../../agent/job-journal.ts';
import type { Intent } from '../../../agent/journal-record.ts';
import { plainReport } from '../../../domain/job.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const dayMs = 86_400_000;
const jobA = `t${'a'.repeat(25)}.0123456789ab`;
const jobB = `t${'b'.repeat(25)}.0123456789ab`;
let directory: string;
let clock: ManualClock;

const open = () => JobJournal.open({ directory, clock, log: silentLog });

const intentOf = (jobId: string, notAfter = 0): Intent => ({
  kind: 'intent',
  jobId,
  slot: 'slot',
  attempt: 1,
  bootId: 'boot',
  notAfter,
  timeoutMs: 1,
  outputBytes: 1,
});

describe('the job journal', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'fixpoint-journal-'));
    clock = new ManualClock();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('read again says what was written, with sequence numbers going on', async () => {
    const journal = open();
    await Promise.all([journal.append(intentOf(jobA)), journal.append(intentOf(jobB))]);
    await journal.append({ kind: 'stop_requested', jobId: jobA, reason: 'timeout' });
    await journal.close();

    const again = open();
    assert.equal(again.sequence, 3);
    assert.equal(again.entry(jobA)?.stop, 'timeout');
    assert.equal(again.entry(jobB)?.intent?.slot, 'slot');
    await again.append({ kind: 'stored', jobId: jobB });
    assert.equal(again.sequence, 4);
    await again.close();
  });

  it('keeps the first outcome and no stop that came after it', async () => {
    const journal = open();
    await journal.append(intentOf(jobA));
    await journal.append({ kind: 'finished', jobId: jobA, report: plainReport('succeeded', null) });
    await journal.append({ kind: 'stop_requested', jobId: jobA, reason: 'operator' });
    await journal.append({
      kind: 'finished',
      jobId: jobA,
      report: plainReport('failed', 'signal'),
    });

    assert.equal(journal.entry(jobA)?.report?.state, 'succeeded');
    assert.equal(journal.entry(jobA)?.stop, undefined);
    await journal.close();
  });

  it('forgets old days only when all their jobs ended, are stored and may start no more', async () => {
    const journal = open();
    const removed: string[] = [];
    const retire = () => journal.retire(7 * dayMs, (jobId) => removed.push(jobId));
    await journal.append(intentOf(jobA));
    await journal.append(intentOf(jobB, clock.now() + 9 * dayMs));
    clock.advance(8 * dayMs);
    for (const jobId of [jobA, jobB]) {
      await journal.append({ kind: 'finished', jobId, report: plainReport('succeeded', null) });
    }
    await journal.append({ kind: 'stored', jobId: jobA });
    retire();
    assert.deepEqual(removed, []);

    await journal.append({ kind: 'stored', jobId: jobB });
    retire();
    assert.deepEqual(removed, []);

    clock.advance(2 * dayMs);
    retire();
    assert.deepEqual(removed, [jobA, jobB]);
    assert.equal(journal.entry(jobA), undefined);
    assert.equal(readdirSync(directory).length, 1);
    await journal.close();
  });

  it('reads by sequence when the clock was set back a day between two agents', async () => {
    const first = open();
    await first.append(intentOf(jobA));
    await first.append({ kind: 'finished', jobId: jobA, report: plainReport('failed', 'signal') });
    await first.close();
    const past = { ...clock, now: () => clock.now() - dayMs } as unknown as ManualClock;
    const second = JobJournal.open({ directory, clock: past, log: silentLog });
    await second.append({ kind: 'finished', jobId: jobA, report: plainReport('succeeded', null) });
    await second.close();

    const third = open();
    assert.equal(third.entry(jobA)?.report?.state, 'failed');
    assert.equal(third.sequence, 3);
    await third.close();
  });
});

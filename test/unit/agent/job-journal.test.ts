import assert from 'node:assert/strict';
import {
  fdatasyncSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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

const open = (syncData?: (fd: number) => Promise<void>) =>
  JobJournal.open({
    ...{ directory, clock, log: silentLog },
    ...(syncData === undefined ? {} : { syncData }),
  });

const letters = 'abcdefghijklmnopqrstuvwxyz';
const jobOf = (number: number): string =>
  `t${Array.from({ length: 25 }, (_, at) => letters.charAt(Math.floor(number / 26 ** at) % 26)).join('')}.0123456789ab`;

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

  it('opened again, it tells no sequence that a power cut could take back', async () => {
    const started = { kind: 'started', jobId: jobA, pid: 1, startTime: '1', startedAt: 1 } as const;
    const killed = open();
    await killed.append(intentOf(jobA));
    killed.write(started);
    const synced: string[] = [];

    const syncFile = (path: string) => void synced.push(path);
    const again = JobJournal.open({ ...{ directory, clock, log: silentLog }, syncFile });

    assert.equal(again.sequence, 2);
    assert.deepEqual(synced, [join(directory, readdirSync(directory)[0] ?? '')]);
    await Promise.all([killed.close(), again.close()]);
  });

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

  it('a thousand appends of one moment share two syncs, and each waits for its own', async () => {
    let syncs = 0;
    const journal = open(async (fd) => {
      syncs += 1;
      await new Promise((resolve) => setImmediate(resolve));
      fdatasyncSync(fd);
    });
    const durableAt: number[] = [];

    await Promise.all(
      Array.from({ length: 1_000 }, async (_, at) => {
        await journal.append(intentOf(jobOf(at)));
        durableAt.push(journal.sequence);
      }),
    );

    assert.equal(journal.sequence, 1_000);
    assert.ok(syncs <= 2, `${syncs} syncs`);
    // None was told to be on disk before its own record was.
    assert.ok(durableAt.every((sequence, at) => sequence > at));
    await journal.close();
  });

  it('a sync that fails is told to all who wait for it, and the next one is tried anew', async () => {
    let isBroken = true;
    const journal = open(async () => {
      if (isBroken) throw new Error('EIO');
    });
    const appends = [journal.append(intentOf(jobA)), journal.append(intentOf(jobB))];

    const settled = await Promise.allSettled(appends);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(journal.sequence, 0);

    isBroken = false;
    await journal.append({ kind: 'stored', jobId: jobA });
    assert.equal(journal.sequence, 3);
    await journal.close();
  });

  it('cut at any byte of its last record keeps all before it and goes on behind', async () => {
    const journal = open();
    await journal.append(intentOf(jobA));
    const [name = ''] = readdirSync(directory);
    const path = join(directory, name);
    const kept = readFileSync(path).length;
    await journal.append(intentOf(jobB));
    await journal.close();
    const whole = readFileSync(path);

    for (let bytes = kept; bytes < whole.length; bytes += 1) {
      writeFileSync(path, whole.subarray(0, bytes));
      const torn = open();
      assert.notEqual(torn.entry(jobA), undefined, `cut at ${bytes}`);
      assert.equal(torn.entry(jobB), undefined, `cut at ${bytes}`);
      assert.equal(torn.sequence, 1);
      torn.write(intentOf(jobB));
      await torn.close();
      const again = open();
      assert.equal(again.entry(jobB)?.intent?.slot, 'slot', `cut at ${bytes}`);
      assert.equal(again.sequence, 2);
      await again.close();
    }
  });

  it('keeps the file with its highest sequence, however old, and a job for seven days', async () => {
    const journal = open();
    await journal.append(intentOf(jobA));
    await journal.append({ kind: 'finished', jobId: jobA, report: plainReport('succeeded', null) });
    await journal.append({ kind: 'stored', jobId: jobA });
    await journal.close();

    clock.advance(6 * dayMs);
    const week = open();
    week.retire(7 * dayMs, () => {});
    assert.notEqual(week.entry(jobA), undefined);
    await week.close();

    clock.advance(30 * dayMs);
    const later = open();
    later.retire(7 * dayMs, () => {});
    assert.equal(later.sequence, 3);
    await later.close();
    const again = open();
    assert.equal(again.sequence, 3);
    await again.close();
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

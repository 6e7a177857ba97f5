import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { JobJournal } from '../../../agent/job-journal.ts';
import { plainReport } from '../../../domain/job.ts';
import { systemClock } from '../../../platform/clock.ts';
import { createLog } from '../../../platform/log.ts';
import { readJournal } from '../../support/checker/journal-frames.ts';

const jobId = `t${'a'.repeat(25)}.${'0'.repeat(12)}`;

describe('the checker’s own reader of journals', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'fixpoint-frames-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = async () => {
    const log = createLog({ program: 'agent', level: 'silent' });
    const journal = JobJournal.open({ directory, clock: systemClock, log });
    await journal.append({
      ...{ kind: 'intent', jobId, slot: 'a-slot', attempt: 1, bootId: 'boot', notAfter: 1 },
      ...{ timeoutMs: 1, outputBytes: 1 },
    });
    await journal.append({ kind: 'finished', jobId, report: plainReport('succeeded', null) });
    await journal.close();
  };

  it('reads what an agent writes', async () => {
    await write();

    const seen = readJournal(directory).map(({ seq, kind, slot, state }) => ({
      ...{ seq, kind, slot, state },
    }));

    assert.deepEqual(seen, [
      { seq: 1, kind: 'intent', slot: 'a-slot', state: null },
      { seq: 2, kind: 'finished', slot: null, state: 'succeeded' },
    ]);
  });

  it('ends at a torn tail', async () => {
    await write();
    const [name = ''] = readdirSync(directory);
    const path = join(directory, name);
    truncateSync(path, statSync(path).size - 3);

    assert.deepEqual(
      readJournal(directory).map(({ kind }) => kind),
      ['intent'],
    );
  });
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SharedJournal } from '../../../bench/fleet/shared-journal.ts';
import { plainReport } from '../../../domain/job.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const agents = ['000000000000', '111111111111'] as const;
const jobOf = (agentId: string) => `t${'a'.repeat(25)}.${agentId}`;

describe('a journal that agents share', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fixpoint-shared-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('shows each agent its own jobs only, and tells when a result is stored', async () => {
    const stored: string[] = [];
    const shared = new SharedJournal({
      ...{ directory, clock: new ManualClock(), log: silentLog },
      onStored: (jobId) => stored.push(jobId),
    });
    const [mine, other] = [shared.of(agents[0]), shared.of(agents[1])];
    const jobId = jobOf(agents[0]);

    await mine.record({ kind: 'finished', jobId, report: plainReport('succeeded', null) });
    await mine.record({ kind: 'stored', jobId });

    assert.equal(mine.entry(jobId)?.report?.state, 'succeeded');
    assert.equal(other.entry(jobId), undefined);
    assert.deepEqual([[...mine.entries()].length, [...other.entries()].length], [1, 0]);
    assert.deepEqual(stored, [jobId]);
    assert.ok(other.sequence >= 2, 'the sequence is that of all agents');
    await shared.close();
  });
});

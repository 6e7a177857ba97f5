import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { type JobState, jobState } from '../../contracts/task.ts';
import { agentIdFrom, taskIdOf } from '../../domain/ids.ts';
import { isFinal, mayFollow, plainReport } from '../../domain/job.ts';
import { systemClock } from '../../platform/clock.ts';
import { sha256 } from '../../platform/digest.ts';
import { connectRedis } from '../../redis/connect.ts';
import { Jobs } from '../../redis/jobs.ts';
import { Tasks } from '../../redis/tasks.ts';
import { aSubmit } from '../support/builders.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

const agentId = agentIdFrom(new Uint8Array(8));

// The table that holds is the one in Redis; the rule in `domain/job.ts` is its model.
describe('the table of job states in Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  before(async () => {
    server = await startRedis();
    redis = connectRedis({ url: server.url, profile: 'background', onError: () => {} });
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('takes of any history of reports just what the rule allows, and never moves a job backwards', async () => {
    const tasks = new Tasks(redis);
    const jobs = new Jobs(redis);
    const notAfter = systemClock.now() + 3_600_000;
    let number = 0;
    const reports = fc.array(fc.constantFrom(...jobState.options), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(reports, async (states) => {
        number += 1;
        const key = `job-table/${number}`;
        const taskId = taskIdOf(key, sha256);
        await tasks.submit({
          ...{ taskId, key, digest: key, isEnrolled: () => true, isAgain: false },
          task: aSubmit({
            targets: [{ agentId, journalId: '0'.repeat(26) }],
            notAfter,
            deadline: notAfter,
          }),
        });
        let model: JobState = 'queued';
        for (const state of states) {
          const [word] = await jobs.report({
            taskId,
            reports: [{ agentId, report: plainReport(state, null) }],
          });
          assert.equal(word, mayFollow(model, state) ? 'applied' : 'late', `${model} → ${state}`);
          if (word === 'applied') model = state;
        }
        const stored = await tasks.read(taskId);
        assert.equal(stored?.jobs[0]?.report.state, model);
        assert.equal(stored?.state, isFinal(model) ? 'finished' : 'open');
      }),
      { numRuns: 150 },
    );
  });
});

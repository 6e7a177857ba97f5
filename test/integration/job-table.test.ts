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

  let number = 0;
  /** A new task, its jobs queued but those of `notEnrolled`. */
  const submitted = async (agentIds: readonly string[], notEnrolled?: string) => {
    number += 1;
    const key = `job-table/${number}`;
    const taskId = taskIdOf(key, sha256);
    const notAfter = systemClock.now() + 3_600_000;
    await new Tasks(redis).submit({
      ...{ taskId, key, digest: key, isAgain: false },
      isEnrolled: (id) => id !== notEnrolled,
      task: aSubmit({
        targets: agentIds.map((id) => ({ agentId: id, journalId: '0'.repeat(26) })),
        ...{ notAfter, deadline: notAfter },
      }),
    });
    return taskId;
  };

  it('takes of any history of reports just what the rule allows, and never moves a job backwards', async () => {
    const jobs = new Jobs(redis);
    const reports = fc.array(fc.constantFrom(...jobState.options), { maxLength: 12 });
    // One step for all of them, or one for each.
    await fc.assert(
      fc.asyncProperty(reports, fc.boolean(), async (states, isOneStep) => {
        const taskId = await submitted([agentId]);
        const told = states.map((state) => ({ agentId, report: plainReport(state, null) }));
        const words: string[] = [];
        for (const step of isOneStep && told.length > 0 ? [told] : told.map((each) => [each])) {
          words.push(...(await jobs.report({ taskId, reports: step })));
        }
        let model: JobState = 'queued';
        for (const [at, state] of states.entries()) {
          const word = words[at];
          assert.equal(word, mayFollow(model, state) ? 'applied' : 'late', `${model} → ${state}`);
          if (word === 'applied') model = state;
        }
        const stored = await new Tasks(redis).read(taskId);
        assert.equal(stored?.jobs[0]?.report.state, model);
        assert.equal(stored?.state, isFinal(model) ? 'finished' : 'open');
      }),
      { numRuns: 150 },
    );
  });

  it('a task of many hosts keeps every one of them, and ends when each has ended once', async () => {
    const agentIds = Array.from({ length: 1_234 }, (_, at) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16BE(at + 1);
      return agentIdFrom(bytes);
    });
    const [gone = '', ...others] = agentIds;
    const taskId = await submitted(agentIds, gone);

    const stored = await new Tasks(redis).read(taskId);
    const reports = others.map((id) => ({ agentId: id, report: plainReport('succeeded', null) }));
    const words: string[] = [];
    for (let from = 0; from < reports.length; from += 250) {
      const step = reports.slice(from, from + 250);
      // Each twice: the second changes nothing, in its own step or a later one.
      words.push(...(await new Jobs(redis).report({ taskId, reports: [...step, ...step] })));
    }

    assert.deepEqual(
      stored?.jobs.map(({ agentId: id, report }) => [id, report.state]),
      agentIds.map((id) => [id, id === gone ? 'not_enrolled' : 'queued']),
    );
    assert.equal(words.filter((word) => word === 'applied').length, others.length);
    assert.equal((await new Tasks(redis).read(taskId))?.state, 'finished');
    assert.deepEqual(await new Jobs(redis).pending(others[0] ?? ''), []);
  });
});

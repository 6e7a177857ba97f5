import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { limits } from '../../contracts/limits.ts';
import { taskIdOf } from '../../domain/ids.ts';
import { sha256 } from '../../platform/digest.ts';
import { Jobs } from '../../redis/jobs.ts';
import { keys } from '../../redis/keys.ts';
import { Tasks } from '../../redis/tasks.ts';
import { aSubmit, someTargets } from '../support/builders.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

const hosts = 2 * limits.sliceTargetsMax + 100;

describe('a task that is read in slices', () => {
  let redis: RedisServer;
  let raw: Redis;
  let tasks: Tasks;
  before(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
    tasks = new Tasks(raw);
  });
  after(async () => {
    raw.disconnect();
    await redis.stop();
  });

  /** Keeps a task of so many hosts, of which every tenth is not enrolled. */
  const kept = async (key: string): Promise<{ taskId: string; agentIds: readonly string[] }> => {
    const now = Date.now();
    const targets = someTargets(hosts).map(({ agentId, journalId }) => ({ agentId, journalId }));
    const task = aSubmit({ targets, notAfter: now + 60_000, deadline: now + 120_000 });
    const taskId = taskIdOf(key, sha256);
    const isEnrolled = (agentId: string) => Number(agentId.slice(1)) % 10 !== 0;
    await tasks.submit({ taskId, key, digest: key, task, isAgain: false, isEnrolled });
    return { taskId, agentIds: targets.map(({ agentId }) => agentId) };
  };

  it('has every host in the order of the submit, and each agent has its job in its queue', async () => {
    const { taskId, agentIds } = await kept('key-of-order');
    const last = agentIds.at(-1) ?? '';

    const task = await tasks.read(taskId);
    const queues = await new Jobs(raw).pendingOf([agentIds[0] ?? '', last]);

    assert.deepEqual(
      task?.jobs.map(({ agentId, report }) => [agentId, report.state]),
      agentIds.map((agentId, at) => [agentId, at % 10 === 0 ? 'not_enrolled' : 'queued']),
    );
    assert.deepEqual(queues, [[], [`${taskId}.${last}`]]);
  });

  it('of which Redis lost a job since is not there: nobody is told of an unknown that is none', async () => {
    const { taskId, agentIds } = await kept('key-of-loss');
    await raw.hdel(keys.task.jobs(taskId), agentIds.at(-1) ?? '');

    assert.equal(await tasks.read(taskId), null);
  });
});

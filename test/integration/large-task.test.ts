import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { limits } from '../../contracts/limits.ts';
import { taskIdOf } from '../../domain/ids.ts';
import { plainReport } from '../../domain/job.ts';
import { sha256 } from '../../platform/digest.ts';
import { Jobs } from '../../redis/jobs.ts';
import { keys } from '../../redis/keys.ts';
import { Tasks } from '../../redis/tasks.ts';
import { aSubmit, someTargets } from '../support/builders.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

type Kept = {
  readonly key: string;
  readonly taskId: string;
  readonly agentIds: readonly string[];
  readonly outcome: string;
};

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

  const mostAre = (agentId: string) => Number(agentId.slice(1)) % 10 !== 0;
  /** Keeps a task of so many hosts, of which every tenth is not enrolled. */
  const kept = async (key: string, by = tasks, isEnrolled = mostAre): Promise<Kept> => {
    const now = 4_000_000_000_000;
    const targets = someTargets(hosts).map(({ agentId, journalId }) => ({ agentId, journalId }));
    const task = aSubmit({ targets, notAfter: now, deadline: now });
    const taskId = taskIdOf(key, sha256);
    const outcome = await by
      .submit({ taskId, key, digest: key, task, isAgain: false, isEnrolled })
      .then(
        ({ kind }) => kind,
        () => 'died',
      );
    return { key, taskId, agentIds: targets.map(({ agentId }) => agentId), outcome };
  };
  /** How many of these agents have the job in their queues. */
  const queuedOf = async ({ taskId, agentIds }: Kept): Promise<number> =>
    (await pendingOf(agentIds)).filter((jobIds) => jobIds.some((id) => id.startsWith(taskId)))
      .length;
  const pendingOf = (agentIds: readonly string[]) => new Jobs(raw).pendingOf(agentIds);
  /** Redis as a gateway has it that dies after so many scripts. */
  const dyingAfter = (scripts: number): Tasks => {
    let left = scripts;
    const get = (of: Redis, name: string | symbol) => {
      const value: unknown = Reflect.get(of, name);
      if (typeof value !== 'function') return value;
      if (name !== 'evalsha' && name !== 'eval') return value.bind(of);
      return async (...args: unknown[]) => {
        if (name === 'evalsha') left -= 1;
        if (left < 0) throw new Error('Connection is closed.');
        return value.apply(of, args);
      };
    };
    return new Tasks(new Proxy(raw, { get }));
  };

  it('has every host in the order of the submit, and each agent has its job in its queue', async () => {
    const { taskId, agentIds } = await kept('key-of-order');
    const last = agentIds.at(-1) ?? '';

    const task = await tasks.read(taskId);
    const queues = await pendingOf([agentIds[0] ?? '', last]);

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

  const enrolled = hosts - Math.ceil(hosts / 10);
  const goesOn: Readonly<Record<string, (task: Kept) => Promise<unknown>>> = {
    'whoever begins it': ({ taskId }) => tasks.body(taskId),
    'whoever reads it': ({ taskId }) => tasks.read(taskId),
    'a repeat': async ({ key }) => assert.equal((await kept(key)).outcome, 'same'),
    'three of them at once': ({ taskId, key }) =>
      Promise.all([tasks.body(taskId), tasks.read(taskId), kept(key)]),
  };
  for (const [who, goOn] of Object.entries(goesOn)) {
    it(`whose gateway died while it queued the jobs is queued by ${who}`, async () => {
      for (const scripts of [1, 2]) {
        const task = await kept(`${scripts} ${who}`, dyingAfter(scripts));
        assert.equal(task.outcome, 'died');
        assert.ok((await queuedOf(task)) < enrolled, 'it had queued all of them');

        await goOn(task);

        const { taskId } = task;
        assert.equal(await queuedOf(task), enrolled);
        assert.equal(await raw.hget(keys.task.task(taskId), 'remaining'), String(enrolled));
        const states = (await tasks.read(taskId))?.jobs.map(({ report }) => report.state);
        const due = task.agentIds.map((_, at) => (at % 10 === 0 ? 'not_enrolled' : 'queued'));
        assert.deepEqual(states, due);
      }
    });
  }

  it('tells an agent whose job is not queued yet that it is not known, so that it tells again', async () => {
    const task = await kept('key-of-an-early-word', dyingAfter(1));
    const { taskId } = task;
    const report = plainReport('succeeded', null);
    const reports = [task.agentIds[1] ?? '', task.agentIds.at(-1) ?? '', 'stranger'].map(
      (agentId) => ({ agentId, report }),
    );

    const words = await new Jobs(raw).report({ taskId, reports });
    await tasks.read(taskId);

    assert.deepEqual(words, ['applied', 'gone', 'gone']);
    const after = await new Jobs(raw).report({ taskId, reports });
    assert.deepEqual(after, ['late', 'applied', 'foreign']);
  });

  it('of which no agent is enrolled is over when its jobs are kept', async () => {
    const { taskId } = await kept('key-of-nobody', tasks, () => false);

    assert.equal((await tasks.read(taskId))?.state, 'finished');
  });

  it('whose jobs were cancelled before they were all queued leaves none of them in a queue', async () => {
    const task = await kept('key-of-a-cancel', dyingAfter(1));
    await tasks.cancel({ taskId: task.taskId, reason: 'operator' });

    await tasks.body(task.taskId);
    await kept('key-of-a-cancel');

    assert.equal(await queuedOf(task), 0);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import { ControlGate } from '../../agent-gateway/control-gate.ts';
import type { ControlState, ControlUpdate } from '../../contracts/control.ts';
import { taskQueues, workflowIds, workflowTypes } from '../../contracts/temporal.ts';
import { systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { connectRedis } from '../../redis/connect.ts';
import { controlCache, readControl } from '../../redis/control-cache.ts';
import { Janitor } from '../../workers/janitor.ts';
import { startCoreWorkers } from '../support/core-workers.ts';
import { eventually } from '../support/eventually.ts';
import { temporalClient } from '../support/intake-product.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const allowed: ControlState = { revision: 0, stopped: false, reason: '', by: '', at: 0 };

// A scenario of a public incident, by its name (safety.md 2.1). It is told twice: with its guard, and
// without, where the harm must happen; else the test would prove nothing.
describe('S04 off-stays-off', () => {
  let server: RedisServer;
  let redis: Redis;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;

  before(async () => {
    [server, temporal] = await Promise.all([startRedis(), startTemporal()]);
    redis = connectRedis({ url: server.url, profile: 'background', onError: () => {} });
    client = temporalClient(temporal.address);
  });
  after(async () => {
    await client.stop();
    redis.disconnect();
    await server.stop();
    await temporal.stop();
  });

  /** Workers of this moment; a restart of everything is to end them and start others. */
  async function withWorkers<T>(work: () => Promise<T>): Promise<T> {
    const publishControl = (state: ControlState) => controlCache(redis).write(state);
    const { address } = temporal;
    const workers = await startCoreWorkers({ address, activities: { publishControl } });
    try {
      return await work();
    } finally {
      await workers.stop();
    }
  }

  const janitor = () =>
    new Janitor({
      ...{ client: client.client, clock: systemClock, log: silentLog, crash: noCrashPoints },
      gateway: { openTasks: async () => [], cancel: async () => {} },
      governor: { holders: async () => [], releaseAll: async () => {} },
      control: controlCache(redis),
      lockWishes: { all: async () => [], remove: async () => {} },
      tellBreaker: async () => {},
      controlSeen: () => {},
      tellMailbox: async () => {},
      ...{ janitorMs: 1, controlRefreshMs: 1 },
    });

  /** A gateway's own view, begun anew. */
  async function seenByAGateway() {
    const gate = new ControlGate({
      read: () => readControl(redis),
      wishes: { write: async () => {}, all: async () => [] },
      audit: { append: async () => {} } as unknown as ConstructorParameters<
        typeof ControlGate
      >[0]['audit'], // It locks nobody here.
      ...{ clock: systemClock, log: silentLog, onChange: () => {}, onLocked: () => {} },
    });
    await gate.refresh();
    return {
      control: gate.control,
      isWebStopped: gate.isPolicyStopped('web'),
      isZoneStopped: gate.isHostStopped({ zone: 'eu-1' }),
    };
  }

  /** Everything, a policy and a zone are stopped; then Redis forgets everything. */
  async function stopAndForget(): Promise<void> {
    const handle = await client.client.workflow.start(workflowTypes.control, {
      ...{ workflowId: workflowIds.control, taskQueue: taskQueues.workflows },
      args: [{ state: allowed }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    const stop = (update: Partial<ControlUpdate>) =>
      handle.executeUpdate<ControlState, [ControlUpdate]>('stop', {
        args: [{ by: 'ada', reason: 'off', ...update }],
      });
    await stop({});
    await stop({ scope: { policy: 'web' } });
    const { revision } = await stop({ scope: { domain: 'zone=eu-1' } });
    await eventually(async () =>
      assert.equal((await controlCache(redis).read())?.revision, revision),
    );
    await redis.flushall();
  }

  it('everything restarted, Redis emptied and all read anew: it is off still, and by whom', async () => {
    await withWorkers(() => stopAndForget());

    const before = await seenByAGateway();
    await withWorkers(() => janitor().refreshControl(0));

    assert.equal(before.control, 'missing', 'until it is known nothing starts either');
    assert.deepEqual(await seenByAGateway(), {
      ...{ control: 'stopped', isWebStopped: true, isZoneStopped: true },
    });
    const state = await controlCache(redis).read();
    assert.deepEqual([state?.by, state?.stops?.map(({ by }) => by)], ['ada', ['ada', 'ada']]);
  });

  it('were the switch no more than its cache, the same restart would turn everything on', async () => {
    await withWorkers(() => stopAndForget());
    await client.client.workflow.getHandle(workflowIds.control).terminate('no durable switch');

    await withWorkers(() => janitor().refreshControl(0));

    assert.deepEqual(await seenByAGateway(), {
      ...{ control: 'allowed', isWebStopped: false, isZoneStopped: false },
    });
  });
});

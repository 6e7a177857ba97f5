import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { ControlState } from '../../contracts/control.ts';
import { limits } from '../../contracts/limits.ts';
import {
  type RemediationEndedSignal,
  workflowIds,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { systemClock } from '../../platform/clock.ts';
import { untilCached } from '../../platform/control-switch.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { createLog } from '../../platform/log.ts';
import { connectRedis } from '../../redis/connect.ts';
import { controlCache } from '../../redis/control-cache.ts';
import { keys } from '../../redis/keys.ts';
import type { OpenTask } from '../../workers/gateway-client.ts';
import { Janitor } from '../../workers/janitor.ts';
import { aRemediation } from '../support/builders.ts';
import { startCoreWorkers } from '../support/core-workers.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR' } },
});

/** What the janitor sees and does, beside the real Temporal. */
class Surroundings {
  open: OpenTask[] = [];
  readonly cancelled: string[] = [];
  readonly told: { mailboxId: string; signal: RemediationEndedSignal }[] = [];
  cached: ControlState | null = null;
  wishes = new Map<string, string>();
  /** When gateways wished. */
  wishedAt = 1;
  isRemovalLost = false;
  readonly lockWishes = {
    all: async () =>
      [...this.wishes].map(([agentId, reason]) => ({ agentId, reason, at: this.wishedAt })),
    remove: async (agentId: string) => {
      if (this.isRemovalLost) throw new Error('Redis is away');
      this.wishes.delete(agentId);
    },
  };
  /** Keys whose cancel fails. */
  readonly deaf = new Set<string>();
  readonly gateway = {
    openTasks: async () => this.open,
    cancel: async ({ key }: { key: string }) => {
      if (this.deaf.has(key)) throw new Error('the gateway is away');
      this.cancelled.push(key);
    },
  };
  readonly control = {
    read: async () => this.cached,
    write: async (state: ControlState) => {
      const revision = this.cached?.revision ?? 0;
      if (revision > state.revision) return revision;
      this.cached = state;
      return state.revision;
    },
  };
  /** Who holds hosts. */
  readonly holders = new Set<string>();
  readonly governor = {
    holders: async () => [...this.holders],
    releaseAll: async (remediationId: string) => {
      this.holders.delete(remediationId);
    },
  };
  readonly tellMailbox = async (mailboxId: string, signal: RemediationEndedSignal) => {
    this.told.push({ mailboxId, signal });
  };
}

const taskOf = (remediationId: string): OpenTask => ({
  taskId: `t${'a'.repeat(25)}`,
  key: `${remediationId}/restart/1/1`,
  reference: remediationId,
});

describe('janitor', () => {
  let server: TemporalServer;
  let client: Client;
  before(async () => {
    server = await startTemporal();
    client = new Client({ connection: await Connection.connect({ address: server.address }) });
  });
  after(async () => {
    await client?.connection.close();
    await server?.stop();
  });

  const janitorOf = (around: Surroundings, control = around.control) =>
    new Janitor({
      client,
      gateway: around.gateway,
      governor: around.governor,
      control,
      lockWishes: around.lockWishes,
      tellMailbox: around.tellMailbox,
      tellBreaker: async () => {},
      controlSeen: () => {},
      clock: systemClock,
      log: createLog({ program: 'test', level: 'error' }),
      crash: noCrashPoints,
      janitorMs: 10,
      controlRefreshMs: 10,
    });
  /** With workers that run the control workflow, whose cache is written by `publishControl`. */
  const withWorkers = async (
    publishControl: Surroundings['control']['write'],
    work: () => Promise<void>,
  ): Promise<void> => {
    const { address } = server;
    const workers = await startCoreWorkers({ address, activities: { publishControl } });
    try {
      await work();
    } finally {
      await workers.stop();
    }
  };
  /** A repair that no worker carries out. */
  const start = async (name: string): Promise<string> => {
    const remediationId = `remediation:restart-web:${name}~00000000:12345678-1`;
    await client.workflow.start(workflowTypes.remediation, {
      workflowId: remediationId,
      taskQueue: 'nobody',
      args: [aRemediation({ remediationId })],
    });
    return remediationId;
  };
  /** Throws the switch, or unlocks an agent, and waits until the cache has it. */
  const turn = async <Update>(
    name: 'stop' | 'allow' | 'unlockAgent',
    of: { readonly update: Update; readonly control: Pick<Surroundings['control'], 'read'> },
  ): Promise<ControlState> => {
    const handle = client.workflow.getHandle(workflowIds.control);
    const changed = await handle.executeUpdate<ControlState, [Update]>(name, { args: [of.update] });
    await untilCached({ client, control: of.control, clock: systemClock }, changed);
    return changed;
  };
  const terminate = (id: string) => client.workflow.getHandle(id).terminate('by hand');

  it('tasks of a terminated repair are cancelled, those of an open one are left', async () => {
    const around = new Surroundings();
    const [open, first, second] = [
      await start('open'),
      await start('first'),
      await start('second'),
    ];
    await terminate(first);
    await terminate(second);
    const stranger: OpenTask = { taskId: 't', key: 'somebody-else/1', reference: null };
    around.open = [stranger, ...[open, first, second].map(taskOf)];
    around.deaf.add(taskOf(first).key);

    await janitorOf(around).cancelOrphans();

    assert.deepEqual(around.cancelled, [taskOf(second).key]);
  });

  it('hosts of closed repairs are freed once none of their tasks is open, those of an open one stay', async () => {
    const around = new Surroundings();
    const [open, closed, running] = [
      await start('holding'),
      await start('closed'),
      await start('running'),
    ];
    await terminate(closed);
    await terminate(running);
    const gone = 'remediation:restart-web:gone~00000000:12345678-1';
    for (const id of [open, closed, running, gone]) around.holders.add(id);
    around.open = [taskOf(running)];

    await janitorOf(around).freeHolds();

    assert.deepEqual([...around.holders], [open, running]);
    around.open = [];
    await janitorOf(around).freeHolds();
    assert.deepEqual([...around.holders], [open]);
  });

  it('the mailbox of a terminated repair is told once, also by a janitor that was away', async () => {
    const around = new Surroundings();
    const id = await start('told');
    await terminate(id);
    const mine = () => around.told.filter(({ signal }) => signal.remediationId === id);
    const janitor = janitorOf(around);

    // The listing follows with a delay.
    await eventually(async () => {
      await janitor.tellMailboxes();
      assert.equal(mine().length, 1);
    });
    await janitor.tellMailboxes();

    assert.deepEqual(mine(), [
      {
        mailboxId: 'mailbox:restart-web:told~00000000',
        signal: { remediationId: id, state: 'failed' },
      },
    ]);
    await janitorOf(around).tellMailboxes();
    assert.equal(mine().length, 2, 'a janitor that starts looks back all the way');
  });

  it('a kill switch that Temporal lost stays as the cache has it, and can still be moved', async () => {
    const around = new Surroundings();
    const stopped = { revision: 7, stopped: true, reason: 'storm', by: 'anna', at: 1 };
    around.cached = stopped;
    const handle = client.workflow.getHandle(workflowIds.control);
    await withWorkers(around.control.write, async () => {
      await janitorOf(around).refreshControl(0);
      assert.deepEqual(await handle.query('state'), stopped);

      const { control } = around;
      await turn('allow', { update: { by: 'anna', reason: 'over' }, control });
      assert.equal(around.cached?.stopped, false);

      // Lost once more, with a cache that is ahead of a switch that begins at 0.
      await terminate(workflowIds.control);
      const before = around.cached;
      around.cached = null;
      await janitorOf(around).refreshControl(0);
      around.cached = before;
      await turn('stop', { update: { by: 'anna', reason: 'again' }, control });
      assert.deepEqual((around.cached as ControlState).stopped, true);

      around.wishes.set('0123456789ab', 'cloned');
      await janitorOf(around).grantLocks();
      const locked = () => around.cached?.locked?.map(({ agentId, by }) => [agentId, by]);
      assert.deepEqual(locked(), [['0123456789ab', 'gateway']]);
      assert.equal(around.cached?.stopped, true, 'a lock leaves the kill switch as it is');
      assert.equal(around.wishes.size, 0);

      around.cached = null;
      await janitorOf(around).refreshControl(0);
      assert.deepEqual(locked(), [['0123456789ab', 'gateway']], 'a lock outlives its cache');
    });
  });

  it('a state in the cache that claims a higher revision than the switch gives way to a stop', async () => {
    const redis = await startRedis();
    const cache = connectRedis({ url: redis.url, profile: 'background', onError: () => {} });
    const control = controlCache(cache);
    const janitor = janitorOf(new Surroundings(), control);
    const forge = (revision: unknown) =>
      cache.set(keys.governor.control, JSON.stringify({ revision, stopped: false, at: 1 }));
    const isStopped = async () => (await control.read())?.stopped;
    const handle = client.workflow.getHandle(workflowIds.control);
    await handle.terminate('begun anew').catch(() => undefined); // No test before left one.
    try {
      await withWorkers(control.write, async () => {
        await janitor.refreshControl(0);
        // Ahead of every clock; then what no revision can be.
        for (const revision of [4e15, Number.MAX_SAFE_INTEGER, 1e300, '4e15', 7.5]) {
          await forge(revision);
          await turn('stop', { update: { by: 'anna', reason: 'storm' }, control });
          assert.equal(await isStopped(), true, `revision ${revision}`);
          const state = await handle.query<ControlState>('state');
          assert.equal((await control.read())?.revision, state.revision);
        }

        await forge(5e15);
        await janitor.refreshControl(0);
        await eventually(async () =>
          assert.equal(await isStopped(), true, 'the janitor puts it right by itself'),
        );

        await turn('allow', { update: { by: 'anna', reason: 'over' }, control });
        assert.equal(await isStopped(), false);
      });
    } finally {
      cache.disconnect();
      await redis.stop();
    }
  });

  it('a wish that was granted locks nobody again whom an operator has let in since; a later one does', async () => {
    const around = new Surroundings();
    const agentId = '0123456789ab';
    around.wishes.set(agentId, 'cloned');
    const handle = client.workflow.getHandle(workflowIds.control);
    await handle.terminate('begun anew').catch(() => undefined); // No test before left one.
    const locked = () => around.cached?.locked?.map((lock) => lock.agentId);
    await withWorkers(around.control.write, async () => {
      await janitorOf(around).refreshControl(0);
      around.isRemovalLost = true;
      await janitorOf(around).grantLocks();
      assert.deepEqual(locked(), [agentId]);
      const update = { agentId, by: 'anna', reason: '' };
      await turn('unlockAgent', { update, control: around.control });
      around.isRemovalLost = false;

      await janitorOf(around).grantLocks();

      assert.deepEqual([locked(), around.wishes.size], [[], 0]);
      around.wishes.set(agentId, 'cloned');
      around.wishedAt = 2;
      await janitorOf(around).grantLocks();
      assert.deepEqual(locked(), [agentId]);
    });
  });

  it('a wish whose lock the cache does not take yet stands until it does', async () => {
    const around = new Surroundings();
    around.wishes.set('0123456789ab', 'cloned');
    const handle = client.workflow.getHandle(workflowIds.control);
    await handle.terminate('begun anew').catch(() => undefined); // No test before left one.
    let isAway = false;
    const write = async (state: ControlState) => {
      if (isAway) throw new Error('Redis is away');
      return around.control.write(state);
    };
    await withWorkers(write, async () => {
      const janitor = janitorOf(around);
      await janitor.refreshControl(0);
      isAway = true;
      const granting = janitor.grantLocks();
      await eventually(async () => {
        const { locked = [] } = await handle.query<ControlState>('state');
        assert.equal(locked.length, 1);
      });
      assert.equal(around.wishes.size, 1, 'no gateway knows of the lock');
      isAway = false;

      await granting;

      assert.equal(around.wishes.size, 0);
      assert.deepEqual(
        around.cached?.locked?.map(({ agentId }) => agentId),
        ['0123456789ab'],
      );
    });
  });

  it('a wish that cannot be granted keeps none behind it', async () => {
    const around = new Surroundings();
    const locked = Array.from({ length: limits.lockedAgentsMax }, (_, index) => ({
      agentId: String(index).padStart(12, '0'),
      reason: 'stolen',
      by: 'anna',
      at: 1,
    }));
    around.cached = { revision: 1, stopped: false, reason: '', by: '', at: 0, locked };
    around.wishes.set('ffffffffffff', 'one too many').set('000000000000', 'cloned');
    const handle = client.workflow.getHandle(workflowIds.control);
    await handle.terminate('begun anew').catch(() => undefined); // No test before left one.
    await withWorkers(around.control.write, async () => {
      await janitorOf(around).refreshControl(0);

      await janitorOf(around).grantLocks();

      assert.deepEqual([...around.wishes.keys()], ['ffffffffffff']);
    });
  });
});

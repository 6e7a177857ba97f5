import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import type { HoldsView } from '../../contracts/admission.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { HoldsKeeper, type HoldsKeeperDeps } from '../../workers/holds-keeper.ts';
import { eventually } from '../support/eventually.ts';
import { type GovernorSite, startGovernorSite } from '../support/governor-site.ts';

const viewOf = (...agentIds: readonly string[]): HoldsView => ({
  places: [['zone=a', 'rack=7']],
  services: ['web'],
  hosts: agentIds.map((agentId, at) => [agentId, 0, at === 0 ? 0 : -1]),
});
const admission = (remediationId: string, agentId: string) => ({
  remediationId,
  hosts: [{ agentId, domains: ['zone=a'], service: null, isHealthy: false }],
  caps: new Map([['zone=a', 3]]),
  floors: new Map(),
});

describe('the keeper of holds', () => {
  let site: GovernorSite;
  before(async () => {
    site = await startGovernorSite();
  });
  beforeEach(() => site.redis.flushall());
  after(() => site.stop());

  /** What open repairs say that they hold; an error where one cannot be asked. */
  const keeperOf = (
    open: ReadonlyMap<string, HoldsView | Error>,
    over: Partial<HoldsKeeperDeps> = {},
  ) => {
    const seen: Parameters<HoldsKeeperDeps['seen']>[0][] = [];
    const workflow = {
      async *list() {
        for (const workflowId of open.keys()) yield { workflowId };
      },
      getHandle: (id: string) => ({
        async query() {
          const view = open.get(id);
          if (view instanceof Error) throw view;
          return view;
        },
      }),
    };
    const keeper = new HoldsKeeper({
      // What a rebuild uses of a client, and no more.
      client: { workflow } as unknown as Client,
      governor: site.governor,
      clock: systemClock,
      log: silentLog,
      rebuildLookMs: 10,
      rebuildSettleMs: 10,
      seen: (now) => seen.push(now),
      ...over,
    });
    return { keeper, seen };
  };
  const signal = new AbortController().signal;

  it('what open repairs hold is held again, counted where it was, and others are admitted beside it', async () => {
    const { keeper, seen } = keeperOf(
      new Map([
        ['one', viewOf('h1', 'h2')],
        ['two', viewOf()],
      ]),
    );

    await keeper.look(signal);

    assert.equal(await site.governor.isFenced(), false);
    assert.deepEqual([...(await site.governor.holdsOf('one'))].sort(), ['h1', 'h2']);
    assert.deepEqual(seen, [
      { kind: 'fenced' },
      {
        kind: 'open',
        held: new Map(
          [
            ['zone=a', 2],
            ['rack=7', 2],
          ].sort() as never,
        ),
      },
    ]);
    const verdicts = async (id: string, agentId: string) => {
      const admitted = await site.governor.admit(admission(id, agentId));
      return admitted.kind === 'judged' ? admitted.verdicts[0]?.kind : admitted.kind;
    };
    assert.equal(await verdicts('two', 'h1'), 'refused');
    assert.equal(await verdicts('two', 'h3'), 'granted');
    assert.equal(await verdicts('three', 'h4'), 'refused', 'three of the zone are held');
  });

  it('a repair that cannot be asked keeps everybody out, until it can be', async () => {
    const open = new Map<string, HoldsView | Error>([['one', new Error('no worker answers')]]);
    const { keeper } = keeperOf(open);

    await assert.rejects(keeper.look(signal), /no worker answers/);
    assert.deepEqual(await site.governor.admit(admission('two', 'h1')), { kind: 'fenced' });

    open.set('one', viewOf('h1'));
    await keeper.look(signal);
    const admitted = await site.governor.admit(admission('two', 'h1'));
    assert.deepEqual(admitted, {
      kind: 'judged',
      verdicts: [{ kind: 'refused', reason: 'held', by: 'one' }],
    });
  });

  it('repairs are asked only after everything that the lost Redis granted has settled', async () => {
    const asked: string[] = [];
    let settle: (() => void) | undefined;
    const clock = {
      ...systemClock,
      sleep: () =>
        new Promise<void>((resolve) => {
          settle = resolve;
        }),
    };
    const open = new Map([['one', viewOf('h1')]]);
    const { keeper } = keeperOf(open, {
      clock,
      governor: {
        isFenced: () => site.governor.isFenced(),
        beginRebuild: () => site.governor.beginRebuild(),
        insert: (of) => {
          asked.push(of.remediationId);
          return site.governor.insert(of);
        },
        reopen: (token) => site.governor.reopen(token),
        heldByDomain: () => site.governor.heldByDomain(),
      },
    });

    const looking = keeper.look(signal);
    await eventually(() => assert.ok(settle));
    assert.deepEqual(asked, []);
    assert.equal(await site.governor.isFenced(), true);
    // An admission that was granted just before the loss reaches its history now.
    open.set('one', viewOf('h1', 'h2'));
    settle?.();
    await looking;

    assert.deepEqual([...(await site.governor.holdsOf('one'))].sort(), ['h1', 'h2']);
  });

  it('two workers rebuild side by side, and a Redis that is lost meanwhile is not opened', async () => {
    const open = new Map([['one', viewOf('h1')]]);

    await Promise.all([keeperOf(open).keeper.look(signal), keeperOf(open).keeper.look(signal)]);
    assert.equal(await site.governor.isFenced(), false);

    await site.redis.flushall();
    const lost = new Map([['one', viewOf('h1')]]);
    const { keeper } = keeperOf(lost, {
      clock: {
        ...systemClock,
        sleep: async () => {
          await site.redis.flushall();
        },
      },
    });
    await keeper.look(signal);
    assert.equal(await site.governor.isFenced(), true);
  });
});
